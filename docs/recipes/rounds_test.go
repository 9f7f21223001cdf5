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
		Name         string
		Rank, Before float64
		Links        []string
	}
	votes := func(_ *jobs.Context, from page, emit jobs.Emit[string, page]) error {
		for _, to := range from.Links {
			emit(to, page{Rank: from.Rank / float64(len(from.Links))})
		}
		emit(from.Name, page{Before: from.Rank, Links: from.Links})
		return nil
	}
	rank := func(ctx *jobs.Context, name string, votes iter.Seq[page], emit func(page)) error {
		at := page{Name: name, Rank: 0.15}
		for v := range votes {
			at.Rank, at.Before, at.Links = at.Rank+0.85*v.Rank, at.Before+v.Before, append(at.Links, v.Links...)
		}
		ctx.Observe("moved", math.Abs(at.Rank-at.Before))
		emit(at)
		return nil
	}
	job := jobs.Define("page-rank", struct{ Rounds, Digits int }{100, 3}, func(p *jobs.Pipeline, a struct{ Rounds, Digits int }) error {
		pages := jobs.Convert(jobs.ReadLines(p), func(line []byte) page {
			f := strings.Fields(string(line))
			return page{Name: f[0], Rank: 1, Links: f[1:]}
		})
		ranked := pages.Loop(a.Rounds, func(pages jobs.Records[page]) jobs.Records[page] {
			return jobs.Reduce(jobs.Map(pages, votes), rank)
		}, func(seen map[string]jobs.Stat) bool { return seen["moved"].Max < math.Pow10(-a.Digits-2) })
		jobs.Convert(ranked, func(p page) string { return fmt.Sprintf("%s\t%.*f", p.Name, a.Digits, p.Rank) }).WriteTSV()
		return nil
	})
	show(job, "home hay row", "hay home", "row home hay", "blog home")
	// Output:
	// blog	0.150
	// hay	1.254
	// home	1.717
	// row	0.880
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
		found := centres.Loop(a.Rounds, func(centres jobs.Records[centre]) jobs.Records[centre] {
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
			return jobs.Convert(sums, func(s jobs.Pair[int, sum]) centre {
				return centre{Key: s.Key, Value: point{s.Value.X / s.Value.N, s.Value.Y / s.Value.N}}
			})
		}, nil)
		found.WriteTSV()
		return nil
	})
	showInputs(job, Inputs{"points": {"1 0 0", "2 2 0", "3 4 0", "4 10 0", "5 12 4"}, "start": {"1 0 0", "2 2 0"}})
	// Output:
	// 1	2	0
	// 2	11	2
}

func Example_connectedComponents() {
	type node struct {
		Name, Least, Before string
		Near                []string
	}
	spread := func(_ *jobs.Context, n node, emit jobs.Emit[string, node]) error {
		emit(n.Name, node{Least: n.Least, Before: n.Least, Near: n.Near})
		for _, other := range n.Near {
			emit(other, node{Least: n.Least})
		}
		return nil
	}
	least := func(ctx *jobs.Context, name string, heard iter.Seq[node], emit func(node)) error {
		all := node{Name: name, Least: name}
		for n := range heard {
			all.Least, all.Before, all.Near = min(all.Least, n.Least), max(all.Before, n.Before), append(all.Near, n.Near...)
		}
		ctx.Observe("changed", math.Abs(float64(strings.Compare(all.Before, all.Least))))
		emit(all)
		return nil
	}
	job := jobs.Define("components", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		nodes := jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, edge []byte, emit func(node)) error {
			a, b, _ := strings.Cut(string(edge), " ")
			emit(node{Name: a, Least: a, Near: []string{b}})
			emit(node{Name: b, Least: b, Near: []string{a}})
			return nil
		})
		round := func(in jobs.Records[node]) jobs.Records[node] { return jobs.Reduce(jobs.Map(in, spread), least) }
		found := nodes.Loop(100, round, func(seen map[string]jobs.Stat) bool { return seen["changed"].Max == 0 })
		jobs.Convert(found, func(n node) string { return n.Name + " is with " + n.Least }).WriteTSV()
		return nil
	})
	show(job, "c b", "b a", "x x")
	// Output:
	// a is with a
	// b is with a
	// c is with a
	// x is with x
}
