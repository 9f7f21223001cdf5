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
	"maps"
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
	// Bad is the policy on bad records.
	Bad plan.BadRecords
}

// Result is the output of a job.
type Result struct {
	Parts   [][]byte            // of the first output, by task
	Outputs map[string][][]byte // parts of all outputs, by name
	Tally   plan.Tally
}

// Text returns all parts of the first output, one after the other.
func (r *Result) Text() string { return string(bytes.Join(r.Parts, nil)) }

// Of returns all parts of an output, one after the other.
func (r *Result) Of(name string) string { return string(bytes.Join(r.Outputs[name], nil)) }

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
	if p, err = p.Tolerant(o.Bad); err != nil {
		return nil, err
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
	// exchanges have the pairs that were written, by partition; sampled has the keys of
	// each exchange that is sampled.
	exchanges [][][]pair
	sampled   [][][]byte
	cuts      [][][]byte // by exchange
	// rounds are the newest rounds of the loops. observed has the statistics of rounds, by the names of their decisions.
	rounds   []int
	observed map[string]map[string]plan.Stat
}

type pair struct{ key, value []byte }

func (r *runner) run(objects []Object) (*Result, error) {
	r.result.Outputs = map[string][][]byte{}
	n := len(r.built.Exchanges)
	r.exchanges, r.sampled, r.cuts = make([][][]pair, n), make([][][]byte, n), make([][][]byte, n)
	for x := range r.exchanges {
		r.exchanges[x] = make([][]pair, r.partitions(x))
	}
	r.rounds = make([]int, len(r.built.Loops))
	for i := range r.rounds {
		r.rounds[i] = 1
	}
	r.observed = map[string]map[string]plan.Stat{}
	for i := range r.built.Steps {
		step := &r.built.Steps[i]
		if step.Loop > 0 && step.Round > r.rounds[step.Loop-1] {
			continue
		}
		if err := r.step(step, objects); err != nil {
			return nil, err
		}
	}
	r.result.Parts = r.result.Outputs[r.built.Outputs[0].Name]
	return &r.result, nil
}

// partitions returns the number of partitions of an exchange.
func (r *runner) partitions(x int) int {
	if r.built.Exchanges[x].Side {
		return 1
	}
	return r.o.Partitions
}

// step runs all tasks of a step, one after another.
func (r *runner) step(step *pipeline.Step, objects []Object) error {
	if step.Phase == plan.Decide {
		goesOn, err := step.Decide(maps.Clone(r.observed[step.Stage]))
		if goesOn {
			r.rounds[step.Loop-1]++
		}
		return err
	}
	for _, x := range step.Writes {
		if by := r.built.Exchanges[x].SampledBy; by != plan.None {
			r.cuts[x] = cuts(r.sampled[by], r.o.Partitions)
		}
	}
	if step.Reads != plan.None {
		reads := step.Reads
		if step.Last > 0 {
			reads = r.built.Loops[step.Last-1].States[r.rounds[step.Last-1]-1]
		}
		for p := range r.o.Partitions {
			if err := r.task(step.Task(p), step, &pipeline.Task{Source: r.source(reads, p)}, r.o.Partitions); err != nil {
				return err
			}
		}
		return nil
	}
	splits, err := r.splits(step, objects)
	if err != nil {
		return err
	}
	if err := r.sample(step, splits); err != nil {
		return err
	}
	for i, s := range splits {
		if err := r.task(step.Task(i), step, &pipeline.Task{Input: s.input, Sections: s.sections}, r.o.Partitions); err != nil {
			return err
		}
	}
	return nil
}

func cuts(keys [][]byte, partitions int) [][]byte {
	slices.SortFunc(keys, bytes.Compare)
	return pairs.Cuts(keys, partitions)
}

// sample runs all tasks only for their keys, where a step writes ranges that nothing
// else has sampled, and cuts the ranges.
func (r *runner) sample(step *pipeline.Step, splits []split) error {
	for _, x := range step.Writes {
		if !r.built.Exchanges[x].Ranges || r.built.Exchanges[x].SampledBy != plan.None {
			continue
		}
		kept, outputs, tally := r.exchanges, r.result.Outputs, r.result.Tally
		r.exchanges, r.result.Outputs = make([][][]pair, len(kept)), map[string][][]byte{}
		for i := range r.exchanges {
			r.exchanges[i] = make([][]pair, 1)
		}
		id := plan.Group{Stage: step.Stage, Phase: plan.Sample}
		for i, s := range splits {
			if err := r.task(id.Task(i), step, &pipeline.Task{Input: s.input, Sections: s.sections}, 1); err != nil {
				return err
			}
		}
		var keys [][]byte
		for _, p := range r.exchanges[x][0] {
			keys = append(keys, p.key)
		}
		r.cuts[x] = cuts(keys, r.o.Partitions)
		r.exchanges, r.result.Outputs, r.result.Tally = kept, outputs, tally
	}
	return nil
}

type split struct {
	input    int
	sections []pipeline.Section
}

// splits divides the objects of a step; each section is a split of its own.
func (r *runner) splits(step *pipeline.Step, objects []Object) ([]split, error) {
	var splits []split
	for _, i := range step.Inputs {
		input := r.built.Inputs[i]
		if input.Generate != nil {
			sections, err := input.Generate(3)
			if err != nil {
				return nil, err
			}
			for _, s := range sections {
				splits = append(splits, split{i, []pipeline.Section{{Section: s}}})
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
				splits = append(splits, split{i, []pipeline.Section{s}})
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
	readAt := func(_ context.Context, p []byte, off int64) error {
		copy(p, object.Text[off:off+int64(len(p))])
		return nil
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
		sections[i] = pipeline.Section{Section: s, Open: open, ReadAt: readAt}
	}
	return sections, nil
}

// task runs one task, and keeps its tally, pairs and parts.
func (r *runner) task(id plan.TaskID, step *pipeline.Step, t *pipeline.Task, partitions int) error {
	var tally plan.Tally
	t.Context, t.Name, t.ID, t.Tally, t.Progress = r.ctx, r.job.Name(), id, &tally, &pipeline.Progress{}
	for _, x := range step.Writes {
		partitions := min(partitions, r.partitions(x))
		w := pipeline.Write{Partitions: partitions, Cuts: r.cuts[x], TableBytes: r.o.Table,
			Pairs: pairs.NewCollector(r.built.Exchanges[x].Layout, nil, nil)}
		if id.Phase == plan.Sample {
			w.Cuts = nil
		}
		if r.built.Exchanges[x].Sampled {
			w.Sample = func(key []byte) { r.sampled[x] = append(r.sampled[x], bytes.Clone(key)) }
		}
		t.Writes = append(t.Writes, w)
	}
	parts := make(map[string]*part)
	t.Part = func(output int, dir string) (pipeline.Part, error) {
		name := r.built.Outputs[step.Outputs[output]].Name
		if dir != "" {
			name = strings.TrimPrefix(name+"/"+dir, "/")
		}
		parts[name] = &part{}
		return parts[name], nil
	}
	t.MostParts = 2
	t.Bad = r.built.Bad(step, r.o.Bad)
	t.Sorter = func() (pipeline.Sorter, error) { return &sorter{}, nil }
	t.Spool = func() pipeline.Spool { return &spool{} }
	t.Side = func(place int, load func(from pairs.Source) (any, error)) (any, error) {
		return load(r.source(step.Sides[place], 0))
	}
	for _, g := range step.Observes {
		t.Previous = r.observed[g.Stage]
	}
	if err := step.Run(t); err != nil {
		return err
	}
	for round, stats := range t.Observed {
		sum := plan.Tally{Stats: r.observed[round]}
		sum.Merge(&plan.Tally{Stats: stats})
		r.observed[round] = sum.Stats
	}
	if step.Reads != plan.None {
		tally.RecordsIn = 0 // so that the sum is the input's
	}
	r.result.Tally.Merge(&tally)
	for name, p := range parts {
		r.result.Outputs[name] = append(r.result.Outputs[name], p.Bytes())
	}
	for i, x := range step.Writes {
		if err := r.keep(x, t.Writes[i].Pairs, t.Writes[i].Partitions); err != nil {
			return err
		}
	}
	return nil
}

// spool keeps values in memory, and lends copies.
type spool struct{ values [][]byte }

func (s *spool) Append(b []byte) error {
	s.values = append(s.values, bytes.Clone(b))
	return nil
}

func (s *spool) All(yield func(b []byte) bool) error {
	for _, v := range s.values {
		lent := bytes.Clone(v)
		more := yield(lent)
		scribble(lent)
		if !more {
			break
		}
	}
	return nil
}

func (s *spool) Reset() error {
	s.values = nil
	return nil
}

// sorter sorts values in memory, and lends copies.
type sorter struct{ all []pair }

func (s *sorter) Add(key, value []byte) error {
	s.all = append(s.all, pair{bytes.Clone(key), bytes.Clone(value)})
	return nil
}

func (s *sorter) All(yield func(key, value []byte) error) error {
	slices.SortStableFunc(s.all, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	for _, p := range s.all {
		key, value := bytes.Clone(p.key), bytes.Clone(p.value)
		if err := yield(key, value); err != nil {
			return err
		}
		scribble(key)
		scribble(value)
	}
	return nil
}

// part is a part in memory.
type part struct{ bytes.Buffer }

// End ends the part.
func (*part) End(int64) error { return nil }

// keep adds the pairs of a task to the partitions of an exchange.
func (r *runner) keep(x int, from *pairs.Collector, partitions int) error {
	if err := from.Sort(partitions, r.built.Exchanges[x].SortValues); err != nil {
		return err
	}
	at := 0
	for p := range partitions {
		var sorted []pair
		for ; at < from.End(p); at++ {
			key, value := from.At(at)
			sorted = append(sorted, pair{bytes.Clone(key), bytes.Clone(value)})
		}
		sorted, err := r.combine(x, sorted)
		if err != nil {
			return err
		}
		r.exchanges[x][p] = append(r.exchanges[x][p], sorted...)
	}
	return nil
}

// combine folds neighbours of equal keys, if the job lets it.
func (r *runner) combine(x int, sorted []pair) ([]pair, error) {
	if r.built.Exchanges[x].Combiner == nil || r.o.NoCombiner {
		return sorted, nil
	}
	c := r.built.Exchanges[x].Combiner()
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

// source returns the pairs of a partition in their order.
func (r *runner) source(x, partition int) *source {
	sorted := r.exchanges[x][partition]
	slices.SortStableFunc(sorted, func(a, b pair) int {
		if c := bytes.Compare(a.key, b.key); c != 0 || !r.built.Exchanges[x].SortValues {
			return c
		}
		return bytes.Compare(a.value, b.value)
	})
	return &source{pairs: sorted, failAfter: r.o.FailReadAfter}
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
