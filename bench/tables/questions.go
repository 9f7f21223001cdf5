package main

import "github.com/windrow-mr/windrow/jobs"

// questions returns a job for each question that is asked.
func questions() []*jobs.Job {
	return []*jobs.Job{
		question("1", "sum of v1 by id1", question1),
		question("2", "sum of v1 by id1, id2", question2),
		question("3", "sum of v1 and mean of v3 by id3", question3),
		question("4", "means of v1, v2 and v3 by id4", question4),
		question("5", "sums of v1, v2 and v3 by id6", question5),
		question("7", "greatest v1 less the least v2 by id3", question7),
		question("10", "sum of v3 and number of rows by id1 to id6", question10),
	}
}

func question(number, what string, build func(p *jobs.Pipeline)) *jobs.Job {
	return jobs.Define("groupby-"+number, struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		build(p)
		return nil
	}).Described(what)
}

func question1(p *jobs.Pipeline) {
	rows(p, func(r row, emit jobs.Emit[[]byte, int64]) error {
		n, err := ints(r[v1])
		emit(r[id1], n[0])
		return err
	}).Fold(jobs.Sum).WriteTSV()
}

func question2(p *jobs.Pipeline) {
	type key struct{ ID1, ID2 []byte }
	rows(p, func(r row, emit jobs.Emit[key, int64]) error {
		n, err := ints(r[v1])
		emit(key{r[id1], r[id2]}, n[0])
		return err
	}).Fold(jobs.Sum).WriteTSV()
}

func question3(p *jobs.Pipeline) {
	type answer struct {
		ID3  []byte
		Sum1 int64
		Avg3 float64
	}
	key := func(r row) ([]byte, error) { return r[id3], nil }
	jobs.Convert(sums(p, key), func(g jobs.Pair[[]byte, group]) answer {
		return answer{g.Key, g.Value.V1, g.Value.V3.float() / float64(g.Value.N)}
	}).WriteTSV()
}

func question4(p *jobs.Pipeline) {
	type answer struct {
		ID4              int64
		Avg1, Avg2, Avg3 float64
	}
	key := func(r row) (int64, error) { n, err := ints(r[id4]); return n[0], err }
	jobs.Convert(sums(p, key), func(g jobs.Pair[int64, group]) answer {
		n := float64(g.Value.N)
		return answer{g.Key, float64(g.Value.V1) / n, float64(g.Value.V2) / n, g.Value.V3.float() / n}
	}).WriteTSV()
}

func question5(p *jobs.Pipeline) {
	type answer struct {
		ID6, Sum1, Sum2 int64
		Sum3            float64
	}
	key := func(r row) (int64, error) { n, err := ints(r[id6]); return n[0], err }
	jobs.Convert(sums(p, key), func(g jobs.Pair[int64, group]) answer {
		return answer{g.Key, g.Value.V1, g.Value.V2, g.Value.V3.float()}
	}).WriteTSV()
}

func question7(p *jobs.Pipeline) {
	type extremes struct{ Most1, Least2 int64 }
	ranges := rows(p, func(r row, emit jobs.Emit[[]byte, extremes]) error {
		n, err := ints(r[v1], r[v2])
		emit(r[id3], extremes{n[0], n[1]})
		return err
	}).Fold(func(a, b extremes) extremes { return extremes{max(a.Most1, b.Most1), min(a.Least2, b.Least2)} })
	type answer struct {
		ID3   []byte
		Range int64
	}
	jobs.Convert(ranges, func(g jobs.Pair[[]byte, extremes]) answer {
		return answer{g.Key, g.Value.Most1 - g.Value.Least2}
	}).WriteTSV()
}

func question10(p *jobs.Pipeline) {
	type key struct {
		ID1, ID2, ID3 []byte
		ID4, ID5, ID6 int64
	}
	type group struct {
		V3 micros
		N  int64
	}
	type answer struct {
		Key   key
		Sum3  float64
		Count int64
	}
	sums := rows(p, func(r row, emit jobs.Emit[key, group]) error {
		n, err := ints(r[id4], r[id5], r[id6])
		if err != nil {
			return err
		}
		v, err := parseMicros(r[v3])
		emit(key{r[id1], r[id2], r[id3], n[0], n[1], n[2]}, group{v, 1})
		return err
	}).Fold(func(a, b group) group { return group{a.V3 + b.V3, a.N + b.N} })
	jobs.Convert(sums, func(g jobs.Pair[key, group]) answer {
		return answer{g.Key, g.Value.V3.float(), g.Value.N}
	}).WriteTSV()
}

// group is the number of rows of a group, and their sums.
type group struct {
	N, V1, V2 int64
	V3        micros
}

// sums adds up each group.
func sums[K any](p *jobs.Pipeline, key func(r row) (K, error)) jobs.Records[jobs.Pair[K, group]] {
	return rows(p, func(r row, emit jobs.Emit[K, group]) error {
		k, err := key(r)
		if err != nil {
			return err
		}
		n, err := ints(r[v1], r[v2])
		if err != nil {
			return err
		}
		decimal, err := parseMicros(r[v3])
		emit(k, group{1, n[0], n[1], decimal})
		return err
	}).Fold(func(a, b group) group { return group{a.N + b.N, a.V1 + b.V1, a.V2 + b.V2, a.V3 + b.V3} })
}
