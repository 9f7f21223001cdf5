package windrow

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/committed"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/internal/shipped"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/jobproc"
)

// SubmitOptions say what a submitted job reads and writes, which cluster runs it, and
// how its program gets there. Input and Output are required. Every other field may be
// left zero.
type SubmitOptions struct {
	// Input, Output, Params, OnExists, Partitions, SplitSize, Trial, Attempts, BadRecords, Expect,
	// Replay, Compress, Decompress, MaxRatio and MaxDecompressed are those of Options. Workers read and
	// write the URLs, with their own credentials. A path is one of the workers'
	// machines; a relative one is completed here.
	Input           []string
	Output          string
	Params          map[string]string
	OnExists        string
	Partitions      int
	SplitSize       int64
	Trial           plan.Trial
	Attempts        int
	BadRecords      string
	Expect          []string
	Replay          string
	Compress        string
	Decompress      string
	MaxRatio        int64
	MaxDecompressed int64

	// Files are paths of local files, by the names by which functions of the job read
	// them: Context.File. Submit sends those that the cluster does not have. They have
	// at most 64 MiB in all.
	Files map[string]string

	// Key makes it safe to submit again: the same key and the same submission give
	// the same job, running or ended, also to another process. The same key and
	// another submission, of a program with other bytes for example, have an error of
	// the kind Conflict. 1 to 200 visible characters of ASCII. "": a random one.
	Key string
	// Priority is the job's weight: a job with twice the weight gets twice the share.
	// 0: 100.
	Priority int
	// Labels are shown with the job.
	Labels map[string]string

	// Package is the folder of a package main that has the job, "." for example.
	// Submit builds it, by the go command, for linux/amd64 and linux/arm64 as the
	// workers need. "": Submit sends the file of the running program.
	Package string

	// Cluster says which cluster runs the job. The zero Cluster is the one that the
	// windrow command uses.
	Cluster Cluster
	// Stores configures the roots that are opened here: Cluster.Root, and the output
	// when it is read.
	Stores store.Options
	// Log receives warnings and notes. Nil: they are discarded.
	Log *slog.Logger
	// Progress is called, while Wait waits, a few times a second with how far the job
	// has come. Nil: progress is not reported.
	Progress func(Progress)
}

// Cluster is a cluster, and the credentials for it. Empty fields are filled in from
// the environment (WINDROW_MASTER, WINDROW_ROOT, WINDROW_TOKEN_FILE) and then from the
// context, as for the windrow command.
type Cluster struct {
	Masters []string // URLs of masters, http://HOST:PORT; any of them
	Root    string   // root URL of the cluster, to find its master; instead of Masters
	Context string   // "": WINDROW_CONTEXT, or the user's current one

	TokenFile string // holds the cluster's token
	CAFile    string // authorities, in PEM, that sign masters' certificates
	CertFile  string // this client's certificate, in PEM
	KeyFile   string // its key
}

// More kinds of errors, of Submit and of a Submission.
const (
	// Cancelled says that a user cancelled the job.
	Cancelled = plan.Cancelled
	// Unavailable says that no master answered for a minute. A submitted job
	// continues when there is one again.
	Unavailable = plan.Unavailable
)

// Submission is a job that was submitted to a cluster. Goroutines may share it.
type Submission struct {
	ID    plan.JobID
	Known bool // an earlier submission with the same key made the job

	client   *client.Client
	output   string
	stores   store.Options
	progress func(Progress)
}

// prepared are the jobs that Init got, by name.
var prepared struct {
	sync.Mutex
	jobs map[string]*jobs.Job
}

// Init lets a program submit jobs of its own: workers start the program, and Init makes
// it run their tasks. It must be the first statement of main, with all jobs that the
// program submits. In a process that a worker started, Init does not return. In
// others it only remembers the jobs. A program that only calls Main needs no Init: Main
// does the same for its jobs.
//
// In a test, TestMain is the place for it.
func Init(list ...*jobs.Job) {
	remote.MarkWorks()
	if len(os.Args) == 2 && os.Args[1] == jobproc.Verb {
		os.Exit(cli.Main(context.Background(), cli.Program{Args: os.Args, Jobs: list, Process: true, Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	prepared.Lock()
	defer prepared.Unlock()
	if prepared.jobs == nil {
		prepared.jobs = make(map[string]*jobs.Job)
	}
	for _, job := range list {
		prepared.jobs[job.Name()] = job
	}
}

// Submit submits a job to a cluster, and returns when the cluster has accepted it. The
// job continues whatever becomes of this process; Wait follows it.
//
// Submit sends the program too, unless the cluster has it already: the file of the
// running program, whose main must begin with Init, or what it builds of a package. The
// file must be for the workers' machines, and need no libraries (CGO_ENABLED=0).
//
// All errors are *Error. An error of the kind Invalid says what the call, the job or
// the program lacks, and the same call will fail again.
func Submit(ctx context.Context, job *jobs.Job, o SubmitOptions) (*Submission, error) {
	s, err := submit(ctx, job, &o)
	if err != nil {
		return nil, remoteFailure(ctx, err)
	}
	return s, nil
}

func submit(ctx context.Context, job *jobs.Job, o *SubmitOptions) (*Submission, error) {
	made, err := job.Build(o.Params, nil)
	if err != nil {
		return nil, client.Errorf(plan.Invalid, "%v", err)
	}
	request, err := o.request(job.Name())
	if err != nil {
		return nil, err
	}
	request.Plan, request.Once = made.Text, made.Once
	if o.Package == "" {
		if err := canWork(job, &request); err != nil {
			return nil, err
		}
	}
	files, err := shipped.Read(o.Files)
	if err != nil {
		return nil, client.Errorf(plan.Invalid, "%v", err)
	}
	cl, err := o.connect()
	if err != nil {
		return nil, err
	}
	bundles, closed, err := o.bundles(ctx, cl)
	defer closed()
	if err != nil {
		return nil, err
	}
	answer, err := remote.Submit(ctx, cl, request, bundles, files, func(b *remote.Bundle) {
		o.log().Info("uploading the program", "machine", b.Machine(), "bytes", b.Size)
	})
	if err != nil {
		return nil, err
	}
	return &Submission{ID: answer.ID, Known: answer.Known, client: cl, output: request.Output, stores: o.Stores, progress: o.Progress}, nil
}

func (o *SubmitOptions) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// request returns the submission without the pipeline and the program.
func (o *SubmitOptions) request(job string) (client.Submission, error) {
	s := client.Submission{IdempotencyKey: o.Key, Job: job, Params: o.Params, OnExists: o.OnExists, Partitions: o.Partitions, SplitSize: o.SplitSize, Trial: o.Trial,
		Attempts: o.Attempts, BadRecords: o.BadRecords, Expect: o.Expect, Replay: plan.JobID(o.Replay), Compress: o.Compress, Decompress: o.Decompress, MaxRatio: o.MaxRatio, MaxDecompressed: o.MaxDecompressed,
		Priority: o.Priority, Labels: o.Labels}
	if o.Output == "" {
		return s, client.Errorf(plan.Invalid, "no output: name one with --out")
	}
	var err error
	if s.Output, err = remote.Absolute(o.Output); err != nil {
		return s, err
	}
	for _, in := range o.Input {
		url, err := remote.AbsoluteInput(in)
		if err != nil {
			return s, err
		}
		s.Input = append(s.Input, url)
	}
	return s, nil
}

// canWork refuses a job that this program, as a job process, would not have.
func canWork(job *jobs.Job, s *client.Submission) error {
	prepared.Lock()
	known := prepared.jobs[job.Name()]
	prepared.Unlock()
	if known == nil {
		return client.Errorf(plan.Invalid, "workers cannot start this program to run the job %s: its main must begin with windrow.Init(…) with the job, or SubmitOptions.Package must name a package that has it", job.Name())
	}
	if known == job {
		return nil
	}
	made, err := known.Build(s.Params, s.Once)
	if err != nil || made.Text != s.Plan {
		return client.Errorf(plan.Invalid, "the job %s is not the one of this name that windrow.Init got: workers would run that one", job.Name())
	}
	return nil
}

// connect returns a client of the cluster.
func (o *SubmitOptions) connect() (*client.Client, error) {
	c := &o.Cluster
	if len(c.Masters) > 0 && c.Root != "" {
		return nil, client.Errorf(plan.Invalid, "Cluster.Masters and Cluster.Root both name the cluster: give one")
	}
	user := remote.User{Program: "windrow", Stores: o.Stores, Log: o.Log}
	t, err := user.FindTarget(remote.Target{Master: strings.Join(c.Masters, ","), Root: c.Root, Token: c.TokenFile, CA: c.CAFile, Cert: c.CertFile, Key: c.KeyFile}, c.Context)
	if err != nil {
		return nil, err
	}
	return user.Connect(&t, 30*time.Second, 0)
}

// bundles returns the files of the program. The caller must call closed when it has
// sent them.
func (o *SubmitOptions) bundles(ctx context.Context, cl *client.Client) (all []remote.Bundle, closed func(), err error) {
	if o.Package != "" {
		pkg, err := remote.OpenPackage(o.Package)
		if err != nil {
			return nil, func() {}, err
		}
		all, err = pkg.Bundles(ctx, cl, o.Key != "")
		return all, pkg.Close, err
	}
	const advice = "set SubmitOptions.Package to the folder of its package, to build it for them"
	b, err := remote.Own()
	if err != nil {
		if plan.KindOf(err) == plan.Invalid {
			err = client.Errorf(plan.Invalid, "%v, or set SubmitOptions.Package to the folder of its package", err)
		}
		return nil, func() {}, err
	}
	return []remote.Bundle{b}, func() {}, remote.Fits(ctx, cl, &b, advice)
}

// Wait waits for the end of the job, and returns the job as it is then. If the job has
// no output, the error is an *Error; it has the kind and the words that Run would
// have, and those of a job that was cancelled. When ctx ends, Wait returns an error of
// the kind Interrupted, and the job continues.
//
// Wait may be called any number of times.
func (s *Submission) Wait(ctx context.Context) (*client.Job, error) {
	for e, err := range s.client.Watch(ctx, s.ID) {
		if err != nil {
			if ctx.Err() != nil || plan.KindOf(err) == plan.Unavailable {
				err = fmt.Errorf("%w; job %s continues", err, s.ID)
			}
			return nil, remoteFailure(ctx, err)
		}
		if s.progress != nil {
			s.progress(Progress(cli.ProgressOf(&e.Job, 0)))
		}
		if e.Kind == client.EndEvent {
			if err := remote.EndOf(&e.Job); err != nil {
				return &e.Job, remoteFailure(context.Background(), err)
			}
			return &e.Job, nil
		}
	}
	return nil, &Error{JobFailed, fmt.Errorf("the events of job %s ended before the job", s.ID)}
}

// Cancel requests that the job be aborted. It does not wait until it is: Wait does.
func (s *Submission) Cancel(ctx context.Context) error {
	return remoteFailure(ctx, s.client.Cancel(ctx, s.ID))
}

// Client returns a client of the cluster, for other requests about the job: its tasks,
// logs and counters, its events, or to retry it.
func (s *Submission) Client() *client.Client { return s.client }

// Output returns the URL of the output, as the job names it.
func (s *Submission) Output() string { return s.output }

// Cat writes the committed output to w, decompressed, in order of its parts, as
// windrow cat does. It reads what is committed at the job's output now: also what
// other jobs appended to it, or wrote in its place. It checks the bytes against the
// manifest.
func (s *Submission) Cat(ctx context.Context, w io.Writer) error {
	return remoteFailure(ctx, committed.Copy(ctx, w, s.output, s.stores))
}

// Lines returns the lines of the committed output, as Cat writes it, without the line
// feeds. A line is valid until the next one. An error ends the lines.
func (s *Submission) Lines(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r, w := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.CloseWithError(s.Cat(ctx, w))
		}()
		defer func() {
			cancel()
			r.Close()
			<-done
		}()
		eachLine(r, yield)
	}
}

// eachLine yields the lines of a text of any size.
func eachLine(from io.Reader, yield func([]byte, error) bool) {
	buffered := bufio.NewReaderSize(from, 64<<10)
	var long []byte // the beginning of a line that is longer than the buffer
	for {
		line, err := buffered.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			yield(nil, err)
			return
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if err != nil && len(line) == 0 || !yield(bytes.TrimSuffix(line, []byte("\n")), nil) || err != nil {
			return
		}
		long = long[:0]
	}
}

// remoteFailure returns an error of a cluster, or on the way to it, as an *Error.
func remoteFailure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	kind := plan.KindOf(err)
	switch {
	case ctx.Err() != nil:
		kind = Interrupted
	case kind == Unavailable, kind == Cancelled, kind == plan.Inconsistent, kind == Unmet:
	case kind == Invalid, kind == NotFound, kind == Denied, kind == Conflict, kind == Interrupted:
	default:
		kind = JobFailed
	}
	return &Error{kind, err}
}
