package embedded

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/windrow-mr/windrow/internal/pipeline"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/compress"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/splits"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

// Run runs a job and commits its output. When ctx ends it stops within two
// seconds, and takes back what it wrote as far as the store lets it. A function
// of the job that works on without looking at its context is left behind.
func Run(ctx context.Context, job *jobs.Job, o Options) (*Result, error) {
	s, err := o.check()
	if err != nil {
		return nil, &Error{Usage, err}
	}
	r := &run{settings: s, started: time.Now(), roots: roots{opts: s.Stores}}
	defer r.roots.close()
	r.wrapInFaults()
	if r.plan, err = job.Build(s.Params, pipeline.TrialOf(ctx).Once); err != nil {
		return nil, &Error{Usage, err}
	}
	if err := r.prepare(ctx); err != nil {
		return nil, classify(err, JobFailed)
	}
	return r.execute(ctx)
}

// run is one run of a job.
type run struct {
	settings
	started time.Time
	roots   roots
	plan    *pipeline.Plan
	id      plan.JobID

	out        *store.Root
	base       *store.Root // where scratch is
	scratch    *store.Root
	input      int64 // bytes
	leftOut    int
	partitions int
	sample     []plan.Split
	splits     []plan.Split
	partOnce   bool // the store creates parts of any size once
	hold       *output.Hold
	summed     atomic.Pointer[map[string]bool] // input with a checksum, by name
}

// prepare finds the input and plans the tasks. It writes nothing but a probe.
func (r *run) prepare(ctx context.Context) error {
	var id ulid.ULID
	id, err := ulid.New(ulid.Timestamp(r.started), rand.Reader)
	if err != nil {
		return err
	}
	r.id = plan.JobID(id.String())
	f := &finder{settings: &r.settings, roots: &r.roots}
	inputs, generated, err := f.resolve(ctx, r.plan, r.Input, r.Slots)
	if err != nil {
		return err
	}
	r.leftOut = f.leftOut
	if r.out, err = r.roots.get(ctx, r.Output, true); err != nil {
		return err
	}
	if err := refuseNested(f.dirs, r.out); err != nil {
		return err
	}
	if err := r.refuseInsideOutput(ctx); err != nil {
		return err
	}
	if r.codec != compress.None && !r.plan.Output.Compressible {
		return usagef("the parts of job %s (%s) are not text, and cannot be compressed as a whole: leave --compress out", r.plan.Job, r.plan.Output.Ext)
	}
	if err := r.divide(ctx, inputs, generated); err != nil {
		return err
	}
	r.noteSums()
	return r.openScratch(ctx)
}

// divide makes the tasks.
func (r *run) divide(ctx context.Context, inputs []splits.Input, generated []plan.Split) error {
	var size int64
	var err error
	size, r.input = target(inputs, &r.settings)
	if n := r.input / size; n > maxSplits {
		return usagef("%d bytes in splits of %d are %d map tasks, and %d are allowed; give a greater --split-size", r.input, size, n, maxSplits)
	}
	if r.plan.Shuffle != nil {
		r.partitions = r.settings.partitions(r.input)
	}
	least := size
	if r.sampled() {
		_, bytes := executor.SampleSize(r.input, r.partitions)
		least = min(least, bytes)
	}
	if err := r.inspect(ctx, inputs, least); err != nil {
		return err
	}
	if r.splits, err = splits.Plan(inputs, size); err != nil {
		return err
	}
	r.warnOfWhole(size)
	r.splits = append(r.splits, generated...)
	if r.plan.Shuffle == nil {
		return nil
	}
	if err := r.fitIndex(); err != nil {
		return err
	}
	if !r.sampled() {
		return nil
	}
	sections, bytes := executor.SampleSize(r.input, r.partitions)
	if r.sample, err = splits.Sample(inputs, sections, bytes); err != nil {
		return err
	}
	r.sample = append(r.sample, generated...)
	return nil
}

// sampled tells whether the job looks at a sample of its input first.
func (r *run) sampled() bool {
	return r.plan.Shuffle != nil && r.plan.Shuffle.Ranges && r.partitions > 1
}

// warnOfWhole says which objects make tasks that are longer than all others
// because they are compressed and cannot be split.
func (r *run) warnOfWhole(target int64) {
	n, largest := 0, plan.Object{}
	for i := range r.splits {
		for j := range r.splits[i].Sections {
			s := &r.splits[i].Sections[j]
			o := &s.Object
			if o.Codec != "" && !s.Part() && o.Size > 2*target {
				n++
				if o.Size > largest.Size {
					largest = *o
				}
			}
		}
	}
	if n > 0 {
		r.Log.Warn("compressed objects are each read by one task, from end to end: only lines of bzip2, and of zstd with a seek table, can be split", "objects", n, "largest", largest.Name(), "bytes", largest.Size)
	}
}

// Bytes that a process holds of each partition: for each map task, in the
// manifests that reduces read, and for each run that a map task has spilled.
const (
	perMapAndPartition   = 48
	perSpillAndPartition = 40
	someSpills           = 16
)

// fitIndex makes sure that what is held of every partition is little beside the
// memory there is: it lowers a number of partitions that was chosen here, and
// refuses one that was asked for.
func (r *run) fitIndex() error {
	share := r.Memory / int64(r.Slots)
	most := min(r.Memory/2/perMapAndPartition/int64(max(len(r.splits), 1)), share/perSpillAndPartition/someSpills)
	switch {
	case int64(r.partitions) <= most:
		return nil
	case r.Partitions == 0:
		r.partitions = int(max(most, 1))
		return nil
	default:
		return usagef("%d partitions of %d map tasks need more of %s memory for their index than is left for the data; at most %d fit: give fewer --partitions, a greater --split-size or more --memory",
			r.partitions, len(r.splits), Bytes(r.Memory), max(most, 1))
	}
}

// openScratch finds the place for runs and manifests.
func (r *run) openScratch(ctx context.Context) error {
	r.base = r.out
	if r.Root != "" {
		var err error
		if r.base, err = r.roots.get(ctx, r.Root, true); err != nil {
			return err
		}
	}
	r.scratch = r.base.Sub(output.TmpKey(r.id))
	return nil
}

// refuseNested refuses an output in a directory that is read as a whole: the
// next run would read what this one wrote.
func refuseNested(dirs []string, out *store.Root) error {
	name := canonical(out.Name(""))
	for _, dir := range dirs {
		if d := canonical(dir); d == name || strings.HasPrefix(name, d+"/") {
			return usagef("the output %s lies in the input directory %s, and the next run would read it; choose another --out", out.URL(), dir)
		}
	}
	return nil
}

// refuseInsideOutput refuses an output within another job's: either would take
// the other's parts for strangers.
func (r *run) refuseInsideOutput(ctx context.Context) error {
	url, query, _ := strings.Cut(r.out.URL(), "?")
	if query != "" {
		query = "?" + query
	}
	scheme, path, _ := strings.Cut(url, "://")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if slices.Contains(segments, output.Dir) {
		return usagef("the output %s lies in a directory %s, which belongs to another output; choose another --out", r.out.URL(), output.Dir)
	}
	top, first := scheme+"://"+segments[0], 1
	if scheme == "file" {
		top, first = "file:///", 0
	}
	root, err := r.roots.get(ctx, top+query, false)
	if err != nil {
		return nil //nolint:nilerr // what lies above may be closed to us, and then nobody can have run there
	}
	for n := first; n < len(segments); n++ {
		above := strings.Join(segments[first:n], "/")
		if is, err := output.IsOutput(ctx, root.Sub(above)); err == nil && is {
			return usagef("the output %s lies in the output %s; choose another --out", r.out.URL(), root.Name(above))
		}
	}
	return nil
}

// canonical returns a root's name without a final slash, and without links
// where it is a local one.
func canonical(name string) string {
	name = strings.TrimRight(name, "/")
	if path, ok := strings.CutPrefix(name, "file://"); ok {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			return "file://" + resolved
		}
	}
	return name
}

// execute reserves the output, runs the tasks and commits.
func (r *run) execute(ctx context.Context) (*Result, error) {
	if err := r.reserve(ctx); err != nil {
		if ctx.Err() != nil {
			err = &Error{Interrupted, fmt.Errorf("job %s was interrupted before it wrote anything; %s is as it was", r.plan.Job, r.out.URL())}
		}
		return nil, classify(err, JobFailed)
	}
	p := r.newPool(ctx)
	defer p.stop()
	beat, stopBeat := context.WithCancelCause(ctx)
	defer stopBeat(nil)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := r.hold.Keep(beat); err != nil {
			stopBeat(err) // the output is gone: so is the point of going on
		}
	})
	w := &watcher{pool: p, started: r.started, input: r.input}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	if r.Progress != nil {
		keeping.Go(func() { w.report(watching, r.Progress) })
	}
	c := &committer{run: r, pool: p}
	outcome, err := master.Run(beat, r.masterConfig(p, c, w))
	p.stop()
	lost := context.Cause(beat)
	if err != nil {
		err = r.settle(ctx, c, lost, outcome, err)
	} else if outcome.Status != scheduler.Succeeded {
		err = r.failed(ctx, lost, outcome.Cause, p.denied.Load())
	}
	stopWatching()
	stopBeat(nil)
	keeping.Wait()
	if c.manifest == nil {
		return nil, err
	}
	if err != nil {
		r.Log.Warn("the output is committed, but not all that follows was done; the next run on it does that", "output", r.out.URL(), "error", err)
	}
	return r.result(c, w)
}

// settleTime bounds what is tried after the end of a run that went wrong.
const settleTime = 1500 * time.Millisecond

// settle ends a run whose end could not be brought about: it may have
// committed, which the log tells; otherwise what it wrote is taken back, as far
// as that goes. It returns what the user is to be told.
func (r *run) settle(ctx context.Context, c *committer, lost error, outcome master.Outcome, cause error) error {
	if c.manifest != nil {
		return cause
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	m, err := r.hold.Committed(ending)
	if m != nil {
		c.manifest = m
		return cause
	}
	left := err
	if err == nil {
		left = c.CleanUp(ending)
	}
	return r.unfinished(ctx, lost, outcome.Cause, cause, left)
}

// reserve makes this run the only writer of its output.
func (r *run) reserve(ctx context.Context) error {
	var asks []store.Ask
	if r.input >= probeBytes {
		asks = append(asks, store.Multipart)
	}
	caps, err := r.out.Probe(ctx, asks...)
	if err != nil {
		return err
	}
	r.partOnce = caps.MultipartOnce
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	r.hold, err = output.Reserve(ctx, r.out, output.Request{Job: r.id, Name: r.plan.Job, Mode: r.mode, Host: host,
		Scratch: r.elsewhere(),
		Waiting: func(h output.Holder, patience time.Duration) {
			r.Log.Warn(fmt.Sprintf("job %s on %s has not finished this output; waiting %v to see whether it lives", h.Job, h.Host, patience))
		}})
	if err != nil {
		return err
	}
	if dead := r.hold.Dead(); dead != nil && dead.Scratch != "" && dead.Scratch != r.elsewhere() {
		r.Log.Warn(fmt.Sprintf("job %s, which this run takes over from, kept temporary data in %s: remove its %s", dead.Job, dead.Scratch, output.TmpKey(dead.Job)))
	}
	if r.Root == "" {
		return nil
	}
	for _, before := range r.hold.Before() {
		// What earlier runs on this output left below this root.
		if err := r.base.DeleteAll(ctx, output.TmpKey(before), nil); err != nil {
			return errors.Join(err, r.hold.Release(ctx))
		}
	}
	return nil
}

// elsewhere returns the URL of the root of temporary data, "" when that is in
// the output.
func (r *run) elsewhere() string {
	if r.Root == "" {
		return ""
	}
	return r.base.URL()
}

func (r *run) newPool(ctx context.Context) *pool {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	remote := r.roots.anyRemote()
	limits := r.limits
	limits.Window = r.window()
	exec := executor.New(executor.Config{
		Plan: r.plan, Job: r.id, Partitions: r.partitions,
		Open: r.roots.opened, Scratch: r.scratch, Class: store.Scratch, Output: r.out,
		PartName: r.partName, Compress: r.codec, Limits: limits,
		Budget: shuffle.NewBudget(r.Memory), Share: r.share(remote), Log: r.Log,
	})
	return &pool{exec: exec, sums: newSums(r.splits), log: r.Log, events: master.NewMailbox(), plan: r.plan, hold: r.hold,
		sample: r.sample, splits: r.splits, parts: r.partitions, work: work, cancel: cancel,
		running: make(map[plan.AttemptID]*running), granted: make(map[plan.TaskID][]plan.AttemptID)}
}

// partName names parts after their task, so that the store lets only one of
// its attempts make it; or, where the store cannot promise that for big
// objects, after the attempt, and the manifest says which one counts.
func (r *run) partName(task plan.TaskID, id plan.AttemptID) string {
	ext := r.plan.Output.Ext
	if r.plan.Output.Compressible {
		ext += r.codec.Ext()
	}
	if !r.partOnce {
		ext = fmt.Sprintf(".%d%s", id.N, ext)
	}
	return output.PartName(task, r.id, 0, ext)
}

func (r *run) masterConfig(p *pool, c *committer, w *watcher) master.Config {
	samples, reduces := 0, r.partitions
	if len(r.sample) > 0 {
		samples = 1
	}
	p.events.Post(scheduler.Joined{Worker: thisProcess, Slots: r.Slots})
	return master.Config{
		Scheduler: scheduler.Config{Epoch: 1, Rand: random32(), Counts: plan.Counts{Samples: samples, Maps: len(r.splits), Reduces: reduces},
			Backoff: scheduler.Time(300 * time.Millisecond)},
		Journal: master.MemoryJournal{}, Pool: p, Output: c, Events: p.events, Changed: w.changed,
	}
}

// random32 draws what tells this process's attempts from all others.
func random32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// failed makes the error of a job that ended without output, and took back what
// it wrote.
func (r *run) failed(ctx context.Context, lost error, cause scheduler.Cause, denied bool) error {
	conflict, taken := errors.AsType[*output.Conflict](lost)
	switch {
	case taken:
		return &Error{Conflict, conflict}
	case cause.Kind == scheduler.Conflict:
		return &Error{Conflict, fmt.Errorf("job %s (%s): %v", r.plan.Job, r.id, cause)}
	case cause.Kind == scheduler.Cancelled && ctx.Err() != nil:
		return &Error{Interrupted, fmt.Errorf("job %s (%s) was interrupted; what it wrote is removed, %s is as it was", r.plan.Job, r.id, r.out.URL())}
	default:
		kind := JobFailed
		if denied {
			kind = Denied
		}
		return &Error{kind, fmt.Errorf("job %s (%s) failed: %v; nothing was committed", r.plan.Job, r.id, cause)}
	}
}

// unfinished makes the error of a job whose end could not be brought about:
// first why it was to end, then what went wrong then, then what is left.
func (r *run) unfinished(ctx context.Context, lost error, cause scheduler.Cause, err, left error) error {
	kind := JobFailed
	conflict, taken := errors.AsType[*output.Conflict](lost)
	switch {
	case taken:
		return &Error{Conflict, conflict}
	case ctx.Err() != nil:
		kind = Interrupted
	}
	if cause.Kind != 0 && cause.Kind != scheduler.Cancelled {
		err = fmt.Errorf("%v; then: %w", cause, err)
	}
	if left == nil {
		return &Error{kind, fmt.Errorf("job %s (%s): %w; what it wrote is removed, nothing was committed", r.plan.Job, r.id, err)}
	}
	mode := r.mode
	if mode == output.Fail {
		mode = output.Replace
	}
	return &Error{kind, fmt.Errorf("job %s (%s): %w; nothing was committed, but parts of it may be left in %s: run it again with --on-exists %s", r.plan.Job, r.id, err, r.out.URL(), mode)}
}

// committer commits and cleans up for the master.
type committer struct {
	run      *run
	parts    int // that this run adds
	pool     *pool
	manifest *output.Manifest
	tally    plan.Tally // of committed attempts
}

var _ master.Output = (*committer)(nil)

// Commit makes the committed attempts' parts the output's contents.
func (c *committer) Commit(ctx context.Context, job *scheduler.Job) error {
	var parts []plan.Part
	c.tally = plan.Tally{}
	for p := plan.Map; p <= plan.Reduce; p++ {
		for i := range job.Tasks(p) {
			id := plan.TaskID{Phase: p, Index: i}
			m, err := c.pool.exec.ReadManifest(ctx, id, job.Task(id).Attempt)
			if err != nil {
				return err
			}
			if m.Part != nil {
				parts = append(parts, *m.Part)
			}
			c.tally.Merge(taskTally(m, job.Tasks(plan.Reduce) > 0))
		}
	}
	c.parts = len(parts)
	m, err := c.run.hold.Commit(ctx, parts)
	if m == nil {
		return err
	}
	// From here on the job has succeeded; what is left over is found and
	// swept by the next run on this output, should this fail.
	c.manifest = m
	if err := errors.Join(err, c.run.hold.Clean(ctx), c.removeTmp(ctx)); err != nil {
		c.run.Log.Warn("the output is committed, but not all that follows was done; the next run on it does that", "output", c.run.out.URL(), "error", err)
	}
	return nil
}

// taskTally returns what a task adds to the job's totals: records in are those
// of the maps, since a reduce reads only what maps wrote.
func taskTally(m *plan.Manifest, shuffled bool) *plan.Tally {
	t := m.Tally
	if shuffled && m.Task.Phase == plan.Reduce {
		t.RecordsIn = 0
	}
	return &t
}

// CleanUp takes back what a job that failed wrote. Attempts that still wind
// down are waited for: they may be writing.
func (c *committer) CleanUp(ctx context.Context) error {
	c.pool.stop()
	return errors.Join(c.run.hold.Release(ctx), c.removeTmp(ctx))
}

func (c *committer) removeTmp(ctx context.Context) error {
	return c.run.scratch.DeleteAll(ctx, "", nil)
}
