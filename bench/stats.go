package main

import (
	"slices"
	"time"
)

// median returns the middle value, or the mean of the middle two. There must
// be at least one.
func median[T ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	low, high := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	return low + (high-low)/2
}

// spread returns half the distance of the least and the greatest value, as a
// share of the median.
func spread(values []time.Duration) float64 {
	return ratio(slices.Max(values)-slices.Min(values), 2*median(values))
}

// ratio returns a/b, and 0 where b is 0.
func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// each returns one figure of every run.
func each[T any](runs []usage, figure func(usage) T) []T {
	values := make([]T, len(runs))
	for i := range runs {
		values[i] = figure(runs[i])
	}
	return values
}

func cpu(u usage) time.Duration  { return u.cpu }
func wall(u usage) time.Duration { return u.wall }
func memory(u usage) int64       { return u.memory }
