package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/meter"
	"github.com/windrow-mr/windrow/store/relay"
	"github.com/windrow-mr/windrow/worker/jobproc"
	"github.com/windrow-mr/windrow/worker/sandbox"
)

const (
	// relayMemory bounds the ranges on their way to one process, in bytes.
	relayMemory = 16 << 20
	// drainTime is how long the last lines of an attempt may take.
	drainTime = time.Second
	// busyTries is how often a new program is executed, with busyWait between
	// tries: other processes that are being started at that moment may hold it
	// open for writing until they have their own program.
	busyTries = 100
	busyWait  = 10 * time.Millisecond
)

// process is a job process with its connections. It has one attempt at a time.
type process struct {
	runner  *Runner
	job     plan.JobID
	dir     string
	release func() // releases the program
	budget  budget

	sandbox  *sandbox.Process
	session  *jobproc.Session
	policy   *relay.Policy
	activity relay.Activity
	output   *store.Root
	others   sync.WaitGroup
	stop     chan struct{} // closed by end

	last plan.TaskID // that it was given last
	// Of the running attempt.
	stdout, stderr outlet
	marker         string
	reached        [2]<-chan struct{}
	waiting        atomic.Bool // it is idle, or waits for this process
	moved          atomic.Bool // it has made progress

	mu     sync.Mutex
	inputs map[string]*store.Root // what it may open, by the relay's names
}

// start starts a process for a job, and waits until it is ready.
func (r *Runner) start(ctx context.Context, j *job, spec *plan.Spec, notes *attemptLog) (*process, error) {
	p := &process{runner: r, job: j.id, release: func() {}, policy: relay.NewPolicy(nil), stop: make(chan struct{}),
		stderr: outlet{stderr: true}}
	var err error
	if p.output, err = r.cfg.Roots.Get(ctx, spec.Output, true); err != nil {
		return nil, err
	}
	p.budget = budgetOf(r.cfg.share())
	path, args, err := p.program(ctx, spec)
	if err == nil {
		err = p.fetchFiles(ctx, spec)
	}
	if err != nil {
		p.release()
		return nil, err
	}
	if p.dir, err = os.MkdirTemp(r.work.Path, "process-"); err != nil {
		p.release()
		return nil, unfit("make a directory for a job process: %w", err)
	}
	p.beginAttempt(notes)
	storage, control, err := p.launch(ctx, path, args)
	if err != nil {
		p.clear()
		return nil, err
	}
	if err := p.greet(ctx, j, spec, storage, control); err != nil {
		err = p.explain(ctx, err, notes)
		p.endAttempt(false)
		p.end()
		return nil, err
	}
	return p, nil
}

// program returns the program to execute for a job, and its arguments.
func (p *process) program(ctx context.Context, spec *plan.Spec) (path string, args []string, err error) {
	r := p.runner
	bundle, err := r.bundleFor(spec)
	if err != nil {
		return "", nil, err
	}
	if bundle == nil {
		return r.cfg.Self, []string{jobproc.Verb}, nil
	}
	path, release, err := r.bundles.get(ctx, *bundle)
	if err == nil {
		p.release = release
	}
	return path, []string{jobproc.Verb}, err
}

// fetchFiles puts the files that are shipped with the job, as they were submitted, into
// the cache of programs, where they stay as long as the process. The process may read
// them there.
func (p *process) fetchFiles(ctx context.Context, spec *plan.Spec) error {
	var digests []string
	for i := range spec.Files {
		f := &spec.Files[i]
		if f.Size == 0 {
			continue
		}
		_, release, err := p.runner.bundles.get(ctx, plan.Bundle{Digest: f.Digest, Size: f.Size, Copy: spec.Copies[f.Digest]})
		if err != nil {
			return fmt.Errorf("the file %q that was shipped with job %s: %w", f.Name, p.job, err)
		}
		before := p.release
		p.release = func() {
			release()
			before()
		}
		digests = append(digests, f.Digest)
	}
	p.policy.Set(jobproc.FilesRoot, relay.Grant{Read: digests})
	return nil
}

// launch starts the program with its two connections.
func (p *process) launch(ctx context.Context, path string, args []string) (storage, control net.Conn, err error) {
	storage, theirStorage, err := relay.Pair()
	if err != nil {
		return nil, nil, err
	}
	defer theirStorage.Close()
	control, theirControl, err := relay.Pair()
	if err != nil {
		_ = storage.Close()
		return nil, nil, err
	}
	defer theirControl.Close()
	cfg := &p.runner.cfg
	// A process has its share of the processors, so that caches per processor
	// stay few.
	processors := max((runtime.GOMAXPROCS(0)+cfg.Slots-1)/cfg.Slots, 2)
	p.sandbox, err = startBox(ctx, p.runner.ctx, sandbox.Config{
		Path: path, Args: args, Dir: p.dir, Inherit: cfg.Inherit,
		Env:   append(p.zone(), "TMPDIR="+p.dir, "HOME="+p.dir, "GOMAXPROCS="+strconv.Itoa(processors)),
		Files: []*os.File{theirStorage, theirControl}, Memory: p.budget.process, Cgroup: cfg.Cgroup,
		NoProgress: cfg.NoProgress, Grace: cfg.Grace, Stdout: &p.stdout, Stderr: &p.stderr, Log: cfg.Log,
	})
	if err != nil {
		_, _ = storage.Close(), control.Close()
		switch {
		case errors.Is(err, syscall.EACCES):
			err = unfit("start the program of the job: %w: if the directory is mounted noexec, let the worker keep programs elsewhere by --cache", err)
		case errors.Is(err, syscall.ENOEXEC):
			err = final("the submitted program of the job cannot be executed on %s/%s: %w; it must be made with windrow.Main", runtime.GOOS, runtime.GOARCH, err)
		}
		return nil, nil, err
	}
	return storage, control, nil
}

// startBox starts a process that ends with life. It can start a program that
// was just written.
func startBox(ctx, life context.Context, box sandbox.Config) (*sandbox.Process, error) {
	for try := 1; ; try++ {
		s, err := sandbox.Start(life, box)
		if !errors.Is(err, syscall.ETXTBSY) || try == busyTries {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(busyWait):
		}
	}
}

// greet serves the process its storage, and opens the session with it.
func (p *process) greet(ctx context.Context, j *job, spec *plan.Spec, storage, control net.Conn) error {
	r := p.runner
	token := make([]byte, relay.TokenSize)
	rand.Read(token)
	p.others.Go(func() {
		err := relay.Serve(meter.WithLent(r.ctx, &j.asked), storage, relay.Config{
			Token: token, Roots: map[string]*store.Root{
				jobproc.ScratchRoot: r.cfg.Root.Sub(plan.ScratchPrefix(j.id)), jobproc.OutputRoot: p.output,
				jobproc.FilesRoot: r.files,
			},
			Root: p.input, Policy: p.policy, Log: r.cfg.Log, Limits: relay.Limits{Memory: relayMemory}, Activity: &p.activity,
		})
		if err != nil && r.ctx.Err() == nil {
			r.cfg.Log.Warn("a job process lost its storage", "job", j.id, "error", err)
			_ = control.Close()
		}
	})
	p.others.Go(p.watch)
	bad, err := plan.ParseBadRecords(spec.BadRecords)
	if err != nil {
		return final("job %s: %v", j.id, err)
	}
	p.session, err = jobproc.Open(ctx, control, jobproc.Hello{Job: spec.Job, Params: spec.Params, Once: spec.Once, Plan: spec.Plan,
		Token: token, Heap: p.budget.heap, Range: p.budget.ranges, Files: spec.Files, Bad: bad}, r.cfg.Grace)
	if _, refused := errors.AsType[*jobproc.Refusal](err); err == nil || refused || ctx.Err() != nil {
		return err
	}
	return &notReady{err}
}

// notReady says that a process ended or failed before it was ready.
type notReady struct{ err error }

func (e *notReady) Error() string { return e.err.Error() }
func (e *notReady) Unwrap() error { return e.err }

// watch reports to the sandbox that the process makes progress, or waits for
// others.
func (p *process) watch() {
	tick := time.NewTicker(min(max(p.runner.cfg.NoProgress/20, 10*time.Millisecond), time.Second))
	defer tick.Stop()
	var done int64
	for {
		select {
		case <-p.stop:
			return
		case <-p.sandbox.Done():
			return
		case <-tick.C:
		}
		moved := p.moved.Swap(false)
		before := done
		done = p.activity.Done()
		if moved || p.waiting.Load() || p.activity.Now() > 0 || done != before {
			p.sandbox.Progress()
		}
	}
}

// input returns a root that the running attempt may open.
func (p *process) input(name string) *store.Root {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inputs[name]
}

// beginAttempt sends the output to a log.
func (p *process) beginAttempt(notes *attemptLog) {
	p.marker = "\x1e" + rand.Text() + "\x1e\n"
	p.reached = [2]<-chan struct{}{p.stdout.direct(notes, p.marker), p.stderr.direct(notes, p.marker)}
	p.moved.Store(true)
	p.waiting.Store(false)
}

// endAttempt revokes all permissions of the process. marked says that it has
// reported the end of the attempt: then endAttempt waits for the output up to
// the marker.
func (p *process) endAttempt(marked bool) {
	p.waiting.Store(true)
	p.permit(nil, nil)
	late := time.NewTimer(drainTime)
	defer late.Stop()
	for _, reached := range p.reached {
		if !marked {
			break
		}
		select {
		case <-reached:
		case <-p.sandbox.Done():
		case <-late.C:
			marked = false
		}
	}
	p.stdout.detach()
	p.stderr.detach()
}

// alive reports whether the process can take another attempt.
func (p *process) alive() bool {
	select {
	case <-p.sandbox.Done():
		return false
	default:
		return true
	}
}

// end ends the process and releases all it has.
func (p *process) end() {
	close(p.stop)
	if p.session != nil {
		_ = p.session.Close()
	}
	p.sandbox.Stop()
	p.others.Wait()
	p.clear()
}

// clear removes the process's directory and releases its program.
func (p *process) clear() {
	if err := os.RemoveAll(p.dir); err != nil {
		p.runner.cfg.Log.Warn("the directory of a job process could not be removed", "error", err)
	}
	p.release()
}

// explain finds out what an error of an attempt means. An error of the
// connection is mostly the end of the process.
func (p *process) explain(ctx context.Context, err error, notes *attemptLog) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, early := errors.AsType[*notReady](err)
	broken, ok := errors.AsType[*jobproc.Broken](err)
	switch {
	case !ok && !early:
		return err
	case ok && !broken.Gone:
		p.sandbox.Stop()
		return err
	}
	select {
	case <-p.sandbox.Done():
	case <-time.After(drainTime):
		p.sandbox.Stop()
	}
	exit, failed := errors.AsType[*sandbox.Exit](p.sandbox.Wait())
	switch {
	case !failed:
		err = errors.New("the job process ended with status 0, in the middle of its work: a job must not call os.Exit")
	case exit.Cause != sandbox.Stopped:
		exit.Stderr = notes.standardError()
		err = exit
	}
	if early {
		return fmt.Errorf("the program of the job did not become a job process: %w; it must be made with windrow.Main, of the release that the workers run", err)
	}
	return err
}

// zone returns the variable for the time zone of job processes: UTC on every machine,
// so that the result of a job does not depend on where it runs. The operator can pass
// another one.
func (p *process) zone() []string {
	if slices.Contains(p.runner.cfg.Inherit, "TZ") {
		return nil
	}
	return []string{"TZ=UTC"}
}
