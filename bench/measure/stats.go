package measure

import (
	"slices"
	"time"
)

// Median returns the middle value, or the mean of the middle two. There must
// be at least one.
func Median[T ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	low, high := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	return low + (high-low)/2
}

// Spread returns half the distance of the least and the greatest value, as a
// fraction of the median.
func Spread(values []time.Duration) float64 {
	return Ratio(slices.Max(values)-slices.Min(values), 2*Median(values))
}

// Ratio returns a/b, and 0 where b is 0.
func Ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// CPU returns the processor time of every run.
func CPU(runs []Usage) []time.Duration {
	return each(runs, func(u Usage) time.Duration { return u.CPU })
}

// Wall returns the wall time of every run.
func Wall(runs []Usage) []time.Duration {
	return each(runs, func(u Usage) time.Duration { return u.Wall })
}

// Memory returns the greatest memory of every run.
func Memory(runs []Usage) []int64 {
	return each(runs, func(u Usage) int64 { return u.Memory })
}

func each[T any](runs []Usage, figure func(Usage) T) []T {
	values := make([]T, len(runs))
	for i := range runs {
		values[i] = figure(runs[i])
	}
	return values
}
