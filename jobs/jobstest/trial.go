package jobstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
)

// object is an input object.
type object struct{ input, key, text string }

func (o *object) path() string {
	if o.input == "" {
		return "in/" + o.key
	}
	return "in/" + o.input + "/" + o.key
}

// trial is a job with all options of a test.
type trial struct {
	job     *jobs.Job
	objects []object
	params  map[string]string
	shipped map[string]string // texts of files, by name
	strict  bool
	bad     string // policy on bad records
	expect  []string

	once    map[string][]byte
	files   map[string]string // their paths, by name
	ordered bool              // the job sorts: the order of its output is fixed
}

// way is one way to run a job.
type way struct {
	name       string
	splits     int64 // about how many there are
	partitions int
	slots      int
	reversed   bool // the objects of every input
	hard       pipeline.Trial
}

// leastSlot is the least memory of a slot, in bytes.
const leastSlot = 64 << 20

// usual is how a job runs without Strict.
var usual = way{name: "the usual way", splits: 8, partitions: 3, slots: 2, hard: pipeline.Trial{Overwrite: true}}

// harder are the ways of Strict. The number of records between two spills
// depends on the input.
func harder(records int) []way {
	spill := max(1, records/32)
	return []way{
		{name: "one task for everything", splits: 1, partitions: 1, slots: 1, hard: pipeline.Trial{Overwrite: true}},
		{name: "many small tasks", splits: 48, partitions: 7, slots: 4, hard: pipeline.Trial{Overwrite: true}},
		{name: "pairs spilled and not combined before", splits: 3, partitions: 2, slots: 2, hard: pipeline.Trial{Overwrite: true, Spill: spill}},
		{name: "objects in reverse order", splits: 5, partitions: 4, slots: 2, reversed: true, hard: pipeline.Trial{Overwrite: true}},
		{name: "the constructor run again for every task", splits: 6, partitions: 5, slots: 3, hard: pipeline.Trial{Overwrite: true, Rebuild: true}},
		{name: "borrowed bytes not overwritten: a function keeps a []byte that it only borrowed", splits: 8, partitions: 3, slots: 2},
	}
}

// run runs the job in the usual way, and in all others if it must be strict.
func (t *trial) run(tb testing.TB) (*Result, error) {
	tb.Helper()
	if len(t.shipped) > 0 {
		var err error
		if t.files, err = writeFiles(tb.TempDir(), t.shipped); err != nil {
			return nil, fmt.Errorf("jobstest: %w", err)
		}
	}
	// The values of Once must be the same in every way. Errors of the job or
	// its parameters are left to the run.
	if p, err := t.job.Build(t.params, nil); err == nil {
		t.once = p.Once
		t.ordered = p.Ordered()
	}
	result, err := t.one(tb.Context(), &usual)
	if err != nil {
		return nil, err
	}
	result.tb = tb
	if !t.strict {
		return result, nil
	}
	for _, w := range harder(t.records()) {
		other, err := t.one(tb.Context(), &w)
		if err != nil {
			return nil, fmt.Errorf("jobstest: job %s fails when it is run another way (%s): %w", t.job.Name(), &w, err)
		}
		if err := t.compare(result, other); err != nil {
			return nil, fmt.Errorf("jobstest: the output of job %s depends on how the work is done.\n- %s\n+ %s\n%w", t.job.Name(), &usual, &w, err)
		}
	}
	return result, nil
}

// compare returns how two outputs differ, nil if they do not.
func (t *trial) compare(a, b *Result) error {
	switch {
	case a.Text() == b.Text():
		return nil
	case !slices.Equal(sorted(a.Lines()), sorted(b.Lines())):
		return errors.New(diff(a.Lines(), b.Lines()))
	case t.ordered:
		return errors.New("the lines are the same, but their order is not, and the job sorts")
	}
	return nil
}

// String describes how a job runs in this way.
func (w *way) String() string {
	return fmt.Sprintf("%s, about %d splits, partitions %d, slots %d", w.name, w.splits, w.partitions, w.slots)
}

// records returns about how many records the input has.
func (t *trial) records() int {
	n := 0
	for _, o := range t.objects {
		n += strings.Count(o.text, "\n")
	}
	return n
}

const (
	inputURL  = "mem://test"
	outputURL = "mem://test/out"
)

// one runs the job once.
func (t *trial) one(ctx context.Context, w *way) (*Result, error) {
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(ctx, inputURL, stores)
	if err != nil {
		return nil, fmt.Errorf("jobstest: %w", err)
	}
	defer root.Close()
	o := windrow.Options{
		Output: outputURL, Params: t.params, Partitions: w.partitions, Slots: w.slots,
		Memory: int64(w.slots) * leastSlot, Stores: stores, Files: t.files, BadRecords: t.bad, Expect: t.expect,
	}
	if o.Input, o.SplitSize, err = t.write(ctx, root, w); err != nil {
		return nil, fmt.Errorf("jobstest: %w", err)
	}
	hard := w.hard
	hard.Once = t.once
	done, err := windrow.Run(pipeline.WithTrial(ctx, hard), t.job, o)
	if err != nil {
		return nil, err
	}
	parts, err := read(ctx, root.Sub("out"), done.Manifest)
	if err != nil {
		return nil, fmt.Errorf("jobstest: read the output: %w", err)
	}
	return &Result{job: t.job.Name(), run: done, parts: parts}, nil
}

// write writes the objects and returns their URLs and the size of splits.
func (t *trial) write(ctx context.Context, root *store.Root, w *way) (urls []string, split int64, err error) {
	for i := range t.objects {
		o := &t.objects[i]
		if err := put(ctx, root, o.path(), o.text); err != nil {
			return nil, 0, err
		}
		url := root.Name(o.path())
		if o.input != "" {
			url = o.input + "=" + url
		}
		urls = append(urls, url)
		split += int64(len(o.text))
	}
	if w.reversed {
		slices.Reverse(urls)
	}
	return urls, max(1, split/w.splits), nil
}

// writeFiles writes texts to files in a directory, and returns their paths.
func writeFiles(dir string, texts map[string]string) (map[string]string, error) {
	paths := make(map[string]string)
	for name, text := range texts {
		paths[name] = filepath.Join(dir, strconv.Itoa(len(paths)))
		if err := os.WriteFile(paths[name], []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// put writes an object of any size.
func put(ctx context.Context, root *store.Root, key, text string) error {
	w, err := root.Create(ctx, key, store.CreateOptions{Class: store.Scratch})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	return w.Commit()
}

// read returns the committed parts.
func read(ctx context.Context, root *store.Root, m *output.Manifest) ([][]byte, error) {
	m = m.Data()
	parts := make([][]byte, len(m.Parts))
	for i := range m.Parts {
		var err error
		if parts[i], err = root.Get(ctx, m.Parts[i].Name, m.Parts[i].Size); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
