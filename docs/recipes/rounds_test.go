package recipes_test

import (
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

func Example_pageRank() {
	type page struct {
		Name  string
		Rank  float64
		Links []string
	}
	votes := func(_ *jobs.Context, from page, emit jobs.Emit[string, page]) error {
		for _, to := range from.Links {
			emit(to, page{Rank: from.Rank / float64(len(from.Links))})
		}
		emit(from.Name, page{Links: from.Links})
		return nil
	}
	rank := func(_ *jobs.Context, name string, votes iter.Seq[page], emit func(page)) error {
		var at page
		for v := range votes {
			at.Rank += v.Rank
			at.Links = append(at.Links, v.Links...)
		}
		emit(page{name, 0.15 + 0.85*at.Rank, at.Links})
		return nil
	}
	job := jobs.Define("page-rank", struct{ Rounds int }{10}, func(p *jobs.Pipeline, a struct{ Rounds int }) error {
		pages := jobs.Convert(jobs.ReadLines(p), func(line []byte) page {
			f := strings.Fields(string(line))
			return page{f[0], 1, f[1:]}
		})
		for range a.Rounds {
			pages = jobs.Reduce(jobs.Map(pages, votes), rank)
		}
		jobs.Convert(pages, func(p page) string { return fmt.Sprintf("%s\t%.3f", p.Name, p.Rank) }).WriteTSV()
		return nil
	})
	show(job, "home hay row", "hay home", "row home hay", "blog home")
	// Output:
	// blog	0.150
	// hay	1.254
	// home	1.716
	// row	0.881
}

func Example_kMeans() {
	type point struct{ X, Y float64 }
	type centre = jobs.Pair[int, point]
	type sum struct{ X, Y, N float64 }
	parse := func(line []byte) (c centre) {
		fmt.Sscan(string(line), &c.Key, &c.Value.X, &c.Value.Y)
		return c
	}
	job := jobs.Define("k-means", struct{ Rounds int }{3}, func(p *jobs.Pipeline, a struct{ Rounds int }) error {
		centres := jobs.Convert(jobs.ReadLines(p).Named("start"), parse)
		points := jobs.Convert(jobs.ReadLines(p).Named("points"), parse)
		for round := range a.Rounds {
			if round > 0 {
				points = points.Distinct() // a shuffle: the tasks after it can wait for the centres
			}
			near := jobs.Broadcast(centres, jobs.Index(func(c centre) int { return c.Key }))
			assigned := jobs.Map(points, func(ctx *jobs.Context, at centre, emit jobs.Emit[int, point]) error {
				best, least := 0, math.Inf(1)
				for id, c := range near.Get(ctx) {
					if d := math.Hypot(at.Value.X-c.Value.X, at.Value.Y-c.Value.Y); d < least || d == least && id < best {
						best, least = id, d
					}
				}
				emit(best, at.Value)
				return nil
			})
			sums := jobs.Aggregate(assigned, func(s *sum, p point) { s.X, s.Y, s.N = s.X+p.X, s.Y+p.Y, s.N+1 },
				func(s, o *sum) { s.X, s.Y, s.N = s.X+o.X, s.Y+o.Y, s.N+o.N })
			centres = jobs.Convert(sums, func(s jobs.Pair[int, sum]) centre {
				return centre{Key: s.Key, Value: point{s.Value.X / s.Value.N, s.Value.Y / s.Value.N}}
			})
		}
		centres.WriteTSV()
		return nil
	})
	showInputs(job, Inputs{"points": {"1 0 0", "2 2 0", "3 4 0", "4 10 0", "5 12 4"}, "start": {"1 0 0", "2 2 0"}})
	// Output:
	// 1	2	0
	// 2	11	2
}

func Example_connectedComponents() {
	type node struct {
		Name, Least string
		Near        []string
	}
	least := func(_ *jobs.Context, name string, heard iter.Seq[node], emit func(node)) error {
		all := node{Name: name, Least: name}
		for n := range heard {
			all.Least, all.Near = min(all.Least, n.Least), append(all.Near, n.Near...)
		}
		emit(all)
		return nil
	}
	job := jobs.Define("components", struct{ Rounds int }{3}, func(p *jobs.Pipeline, a struct{ Rounds int }) error {
		heard := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, edge []byte, emit jobs.Emit[string, node]) error {
			a, b, _ := strings.Cut(string(edge), " ")
			emit(a, node{Least: b, Near: []string{b}})
			emit(b, node{Least: a, Near: []string{a}})
			return nil
		})
		for range a.Rounds {
			heard = jobs.Map(jobs.Reduce(heard, least), func(_ *jobs.Context, n node, emit jobs.Emit[string, node]) error {
				emit(n.Name, n)
				for _, other := range n.Near {
					emit(other, node{Least: n.Least})
				}
				return nil
			})
		}
		jobs.Convert(jobs.Reduce(heard, least), func(n node) string { return n.Name + " is with " + n.Least }).WriteTSV()
		return nil
	})
	show(job, "c b", "b a", "x y")
	// Output:
	// a is with a
	// b is with a
	// c is with a
	// x is with x
	// y is with x
}
