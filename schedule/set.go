package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Conflict is a mistake that two or more schedules make together.
type Conflict struct {
	Schedule int // its number in the list
	Problem
}

// Conflicts returns the mistakes of a list of schedules: two with the same name, a cycle
// of dependencies, and outputs that overlap.
func Conflicts(all []*Schedule) []Conflict {
	var found []Conflict
	numbers := map[string]int{}
	for n, s := range all {
		if _, twice := numbers[s.spec.Name]; twice {
			found = append(found, Conflict{n, Problem{"name", fmt.Sprintf("another schedule has the name %s", s.spec.Name)}})
			continue
		}
		numbers[s.spec.Name] = n
	}
	if c, ok := cycle(all, numbers); ok {
		found = append(found, c)
	}
	for n, s := range all {
		for _, other := range all[:n] {
			if text := overlapping(other, s); text != "" {
				found = append(found, Conflict{n, Problem{"output", text}})
			}
		}
	}
	return found
}

// cycle returns a cycle of dependencies.
func cycle(all []*Schedule, numbers map[string]int) (Conflict, bool) {
	done := map[int]bool{}
	var path []int
	var visit func(n int) (Conflict, bool)
	visit = func(n int) (Conflict, bool) {
		path = append(path, n)
		defer func() { path = path[:len(path)-1] }()
		for i, name := range all[n].spec.DependsOn {
			next, known := numbers[name]
			if !known || done[next] {
				continue
			}
			if at := slices.Index(path, next); at >= 0 {
				var names []string
				for _, n := range append(path[at:len(path):len(path)], next) {
					names = append(names, all[n].spec.Name)
				}
				return Conflict{n, Problem{fmt.Sprintf("dependsOn[%d]", i), "the dependencies are a cycle: " + strings.Join(names, " → ")}}, true
			}
			if c, ok := visit(next); ok {
				return c, true
			}
		}
		done[n] = true
		return Conflict{}, false
	}
	for n := range all {
		if c, ok := visit(n); ok {
			return c, true
		}
	}
	return Conflict{}, false
}

// compared is how many intervals of two schedules are compared.
const compared = 400

// overlapping returns an error text if outputs of two schedules are the same, or one is
// within another. It compares intervals, unless the texts before the first value differ.
func overlapping(a, b *Schedule) string {
	first, _, _ := strings.Cut(a.spec.Output, "{{")
	second, _, _ := strings.Cut(b.spec.Output, "{{")
	if !strings.HasPrefix(first, second) && !strings.HasPrefix(second, first) {
		return ""
	}
	outputs := map[string]Interval{} // of a, by the directory
	parents := map[string]string{}   // outputs of a, by the directories around them
	for _, i := range a.sample(compared) {
		if r, err := a.Resolve(i); err == nil {
			dir := strings.TrimRight(r.Output, "/")
			outputs[dir] = i
			for parent := dir; parent != ""; parent = above(parent) {
				if _, known := parents[parent]; !known {
					parents[parent] = dir
				}
			}
		}
	}
	for _, i := range b.sample(compared) {
		r, err := b.Resolve(i)
		if err != nil {
			continue
		}
		dir := strings.TrimRight(r.Output, "/")
		other, ok := parents[dir]
		for parent := dir; !ok && parent != ""; parent = above(parent) {
			_, ok = outputs[parent]
			other = parent
		}
		if ok {
			return fmt.Sprintf("the output %s of the interval that begins at %s overlaps %s of schedule %s: each schedule needs a directory of its own",
				r.Output, i.Nominal.Format(time.RFC3339), other, a.spec.Name)
		}
	}
	return ""
}

// above returns the directory around another.
func above(dir string) string { return dir[:max(strings.LastIndexByte(dir, '/'), 0)] }
