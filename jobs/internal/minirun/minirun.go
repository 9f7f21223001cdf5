// Package minirun runs a job's pipeline over texts in memory, one task after
// the other, in the plainest way: map, sort, group, reduce. It is for the tests
// of package jobs and of packages on top of it, which so need no engine. The
// engine runs the same pipelines with splits, spills, retries and commits.
//
// Borrowed bytes are overwritten as early as allowed, so that a function that
// keeps them fails its test. Sizes are bytes. Run is safe for concurrent use.
package minirun

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Object is an input object.
type Object struct {
	Input string // name of the input, "" for the only one
	Name  string
	Text  string
	// Whole makes the object behave like a compressed one, whose text is one
	// section.
	Whole bool
}

// Lines returns an object that holds these lines.
func Lines(lines ...string) Object {
	return Object{Name: "lines", Text: strings.Join(lines, "\n") + "\n"}
}

// Options say how the work is divided. The result must not depend on them.
type Options struct {
	Params     map[string]string
	Split      int64 // target size of a split; 0 for 1 MiB
	Partitions int   // 0 for 2
	Table      int64 // memory of a combining table; 0 for 4 MiB
	NoCombiner bool  // leaves out combining between map and reduce
	// FailReadAfter makes the sources of reduce tasks fail after that many
	// pairs, 0 for never.
	FailReadAfter int
}

// Result is the output of a job.
type Result struct {
	Parts [][]byte // by task
	Tally plan.Tally
}

// Text returns all parts, one after the other.
func (r *Result) Text() string { return string(bytes.Join(r.Parts, nil)) }

// Sorted returns the lines of all parts in order.
func (r *Result) Sorted() []string {
	lines := strings.Split(strings.TrimSuffix(r.Text(), "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// Run builds job's plan and runs it over objects.
func Run(ctx context.Context, job *jobs.Job, o Options, objects ...Object) (*Result, error) {
	p, err := job.Build(o.Params, nil)
	if err != nil {
		return nil, err
	}
	// A process that joins the job later builds it in this way.
	again, err := job.Build(o.Params, p.Once)
	if err != nil {
		return nil, err
	}
	if again.Hash != p.Hash {
		return nil, fmt.Errorf("built again, the pipeline is another:\n%s\n%s", p.Text, again.Text)
	}
	if o.Split == 0 {
		o.Split = 1 << 20
	}
	if o.Partitions == 0 {
		o.Partitions = 2
	}
	if o.Table == 0 {
		o.Table = 4 << 20
	}
	r := &runner{ctx: ctx, job: job, built: p, o: o}
	return r.run(objects)
}

type runner struct {
	ctx    context.Context
	job    *jobs.Job
	built  *pipeline.Pipeline
	o      Options
	result Result
	parts  [][]pair // shuffled pairs by partition
}

type pair struct{ key, value []byte }

func (r *runner) run(objects []Object) (*Result, error) {
	splits, err := r.splits(objects)
	if err != nil {
		return nil, err
	}
	if r.built.Shuffle == nil {
		for i, split := range splits {
			var out bytes.Buffer
			if err := r.mapTask(plan.Map, i, split, &pipeline.MapTask{Out: &out}); err != nil {
				return nil, err
			}
			r.result.Parts = append(r.result.Parts, out.Bytes())
		}
		return &r.result, nil
	}
	var cuts [][]byte
	if r.built.Shuffle.Ranges {
		if cuts, err = r.sample(splits); err != nil {
			return nil, err
		}
	}
	r.parts = make([][]pair, r.o.Partitions)
	for i, split := range splits {
		t := &pipeline.MapTask{Partitions: r.o.Partitions, Cuts: cuts, TableBytes: r.o.Table}
		if err := r.shuffled(plan.Map, i, split, t); err != nil {
			return nil, err
		}
	}
	for i := range r.parts {
		if err := r.reduce(i); err != nil {
			return nil, err
		}
	}
	return &r.result, nil
}

type split struct {
	input    pipeline.Input
	sections []pipeline.Section
}

// splits divides the objects; each section is a split of its own.
func (r *runner) splits(objects []Object) ([]split, error) {
	var splits []split
	for _, input := range r.built.Inputs {
		if input.Generate != nil {
			sections, err := input.Generate(3)
			if err != nil {
				return nil, err
			}
			for _, s := range sections {
				splits = append(splits, split{input, []pipeline.Section{{Section: s}}})
			}
			continue
		}
		for _, object := range objects {
			if object.Input != input.Name {
				continue
			}
			sections, err := r.sections(input, object)
			if err != nil {
				return nil, err
			}
			for _, s := range sections {
				splits = append(splits, split{input, []pipeline.Section{s}})
			}
		}
	}
	return splits, nil
}

func (r *runner) sections(input pipeline.Input, object Object) ([]pipeline.Section, error) {
	o := plan.Object{Input: object.Input, Root: "mem://test", Key: object.Name, Size: int64(len(object.Text))}
	open := func(_ context.Context, off int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(object.Text[off:])), nil
	}
	if object.Whole {
		whole := plan.Section{Object: o, Length: o.Size / 3} // the compressed size
		return []pipeline.Section{{Section: whole, Whole: true, Open: open}}, nil
	}
	planned, err := input.Split(o, r.o.Split)
	if err != nil {
		return nil, err
	}
	sections := make([]pipeline.Section, len(planned))
	for i, s := range planned {
		sections[i] = pipeline.Section{Section: s, Open: open}
	}
	return sections, nil
}

func (r *runner) task(phase plan.Phase, index int, tally *plan.Tally) pipeline.Task {
	return pipeline.Task{
		Context: r.ctx, Name: r.job.Name(), ID: plan.TaskID{Phase: phase, Index: index},
		Tally: tally, Progress: &pipeline.Progress{},
	}
}

// mapTask runs one map task and keeps its tally if it succeeds.
func (r *runner) mapTask(phase plan.Phase, index int, s split, t *pipeline.MapTask) error {
	var tally plan.Tally
	t.Task = r.task(phase, index, &tally)
	t.Sections = s.sections
	if err := s.input.Map(t); err != nil {
		return err
	}
	if phase == plan.Map {
		r.result.Tally.Merge(&tally)
	}
	return nil
}

// shuffled runs one map task and adds its pairs to their partitions.
func (r *runner) shuffled(phase plan.Phase, index int, s split, t *pipeline.MapTask) error {
	t.Pairs = pairs.NewCollector(r.built.Shuffle.Layout, nil, nil)
	if err := r.mapTask(phase, index, s, t); err != nil {
		return err
	}
	if err := t.Pairs.Sort(len(r.parts), r.built.Shuffle.SortValues); err != nil {
		return err
	}
	at := 0
	for part := range r.parts {
		var sorted []pair
		for ; at < t.Pairs.End(part); at++ {
			key, value := t.Pairs.At(at)
			sorted = append(sorted, pair{bytes.Clone(key), bytes.Clone(value)})
		}
		sorted, err := r.combine(sorted)
		if err != nil {
			return err
		}
		r.parts[part] = append(r.parts[part], sorted...)
	}
	return nil
}

// combine folds neighbours of equal keys, if the job lets it.
func (r *runner) combine(sorted []pair) ([]pair, error) {
	if r.built.Shuffle.Combiner == nil || r.o.NoCombiner {
		return sorted, nil
	}
	c := r.built.Shuffle.Combiner()
	var out []pair
	for i := 0; i < len(sorted); {
		key := sorted[i].key
		c.Reset()
		for ; i < len(sorted) && bytes.Equal(sorted[i].key, key); i++ {
			lent := bytes.Clone(sorted[i].value)
			if err := c.Add(lent); err != nil {
				return nil, err
			}
			scribble(lent)
		}
		value, err := c.AppendTo(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, pair{key, value})
	}
	return out, nil
}

// sample runs all map tasks only for their keys, and cuts ranges.
func (r *runner) sample(splits []split) ([][]byte, error) {
	r.parts = make([][]pair, 1)
	for i, s := range splits {
		if err := r.shuffled(plan.Sample, i, s, &pipeline.MapTask{Partitions: 1, TableBytes: r.o.Table}); err != nil {
			return nil, err
		}
	}
	keys := make([][]byte, len(r.parts[0]))
	for i, p := range r.parts[0] {
		keys[i] = p.key
	}
	return pairs.Cuts(keys, r.o.Partitions), nil
}

func (r *runner) reduce(part int) error {
	sorted := r.parts[part]
	slices.SortStableFunc(sorted, func(a, b pair) int {
		if c := bytes.Compare(a.key, b.key); c != 0 || !r.built.Shuffle.SortValues {
			return c
		}
		return bytes.Compare(a.value, b.value)
	})
	var out bytes.Buffer
	var tally plan.Tally
	t := &pipeline.ReduceTask{
		Task:   r.task(plan.Reduce, part, &tally),
		Source: &source{pairs: sorted, failAfter: r.o.FailReadAfter},
		Out:    &out,
	}
	if err := r.built.Shuffle.Reduce(t); err != nil {
		return err
	}
	tally.RecordsIn = 0 // so that the sum is the input's
	r.result.Tally.Merge(&tally)
	r.result.Parts = append(r.result.Parts, out.Bytes())
	return nil
}

// source lends each pair until the next.
type source struct {
	pairs      []pair
	at         int
	failAfter  int
	key, value []byte
	err        error
}

func (s *source) Next() (key, value []byte, ok bool) {
	scribble(s.key)
	scribble(s.value)
	if s.failAfter > 0 && s.at == s.failAfter {
		s.err = fmt.Errorf("read the shuffle: %w", io.ErrUnexpectedEOF)
	}
	if s.err != nil || s.at == len(s.pairs) {
		return nil, nil, false
	}
	s.key = append(s.key[:0], s.pairs[s.at].key...)
	s.value = append(s.value[:0], s.pairs[s.at].value...)
	s.at++
	return s.key, s.value, true
}

func (s *source) Err() error { return s.err }

func scribble(b []byte) {
	for i := range b {
		b[i] = '#'
	}
}
