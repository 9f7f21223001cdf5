package jobproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
	"github.com/windrow-mr/windrow/store/relay"
)

// Verb is the command that makes a program with jobs a job process.
const Verb = "job-process"

// The descriptors that a job process inherits.
const (
	StorageFD = 3
	ControlFD = 4
)

// Config describes a job process.
type Config struct {
	Jobs             []*jobs.Job // of the program
	Storage, Control net.Conn    // to the worker
	Stdout, Stderr   io.Writer
}

// ErrNoWorker says that this process was not started by a worker.
var ErrNoWorker = errors.New("job processes are started by workers, with two connections, which are missing")

// Inherited returns the connections that the worker handed to this process.
// Call it once, at the beginning of the process.
func Inherited() (storage, control net.Conn, err error) {
	for _, fd := range []int{StorageFD, ControlFD} {
		// A descriptor that is no connection may be the runtime's own; it is
		// left open.
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
			return nil, nil, ErrNoWorker
		}
	}
	var conns [2]net.Conn
	for i, fd := range [2]uintptr{StorageFD, ControlFD} {
		conn, err := relay.Inherited(os.NewFile(fd, "worker"))
		if err != nil {
			return nil, nil, ErrNoWorker
		}
		conns[i] = conn
	}
	return conns[0], conns[1], nil
}

// Main is a job process: it works on the worker's messages until ctx or the
// connections end, which is no error. Functions that ignore their context are
// left running; they end with the process.
func Main(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &process{cfg: cfg, link: link{conn: cfg.Control},
		log: slog.New(slog.NewTextHandler(cfg.Stderr, nil))}
	defer context.AfterFunc(ctx, func() { _ = cfg.Control.Close() })()
	defer cfg.Storage.Close()
	err := p.serve(ctx)
	cancel()
	p.leave()
	if relay.Gone(err) || errors.Is(err, net.ErrClosed) {
		return nil // the worker needs no more work, or has ended
	}
	return err
}

// process is the job's end of the connection.
type process struct {
	link
	cfg      Config
	log      *slog.Logger
	client   *relay.Client
	pipeline *pipeline.Pipeline
	ranges   int // bytes of a request to a remote store
	files    []plan.File
	bad      plan.BadRecords
	engine   *engine
	work     sync.WaitGroup // the attempt that runs

	mu      sync.Mutex
	running *running
}

// leaveTime is how long Main waits for the running attempt to end.
const leaveTime = 500 * time.Millisecond

// leave waits a short time for the running attempt.
func (p *process) leave() {
	done := make(chan struct{})
	go func() {
		p.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(leaveTime):
	}
	if p.client != nil {
		_ = p.client.Close()
	}
}

// serve answers the hello, and then handles the worker's messages.
func (p *process) serve(ctx context.Context) error {
	k, payload, err := p.receive()
	if err != nil {
		return err
	}
	if k != kindHello {
		return unexpected(k)
	}
	var h Hello
	if err := decode(payload, &h); err != nil {
		return err
	}
	if why := p.prepare(h); why != "" {
		return p.send(kindRefused, refused{shorten(why)})
	}
	if p.client, err = relay.Connect(ctx, p.cfg.Storage, h.Token); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = p.client.Close() })()
	go p.endWith(p.client)
	p.engine = newEngine(p)
	if err := p.send(kindReady, ready{Version, p.pipeline.Text, describe(p.pipeline)}); err != nil {
		return err
	}
	for {
		k, payload, err := p.receive()
		if err == nil {
			err = p.handle(ctx, k, payload)
		}
		if err != nil {
			return err
		}
	}
}

// endWith ends the process when its storage ends.
func (p *process) endWith(c *relay.Client) {
	<-c.Done()
	_ = p.conn.Close()
}

// prepare makes the pipeline. It returns why that is impossible, or "".
func (p *process) prepare(h Hello) string {
	if h.Version != Version {
		return otherVersion(Version, h.Version)
	}
	if h.Heap > 0 {
		debug.SetMemoryLimit(h.Heap)
	}
	p.ranges, p.files, p.bad = h.Range, h.Files, h.Bad
	var job *jobs.Job
	var names []string
	for _, j := range p.cfg.Jobs {
		names = append(names, j.Name())
		if j.Name() == h.Job {
			job = j
		}
	}
	if job == nil {
		why := fmt.Sprintf("the program has no job named %q", h.Job)
		if near := nearest.Name(h.Job, names); near != "" {
			why += fmt.Sprintf("; did you mean %q?", near)
		}
		return why
	}
	once := h.Once
	if once == nil {
		once = map[string][]byte{} // no value was computed, and none may be
	}
	var err error
	if p.pipeline, err = job.Build(h.Params, once); err != nil {
		return err.Error()
	}
	if p.pipeline.Text != h.Plan {
		return fmt.Sprintf("job %s: its constructor makes another plan here than where it was submitted; it must depend on its parameters alone, and the program must be the same (use jobs.Once for what is decided once):\n%s",
			h.Job, pipeline.Diff(h.Plan, p.pipeline.Text))
	}
	if p.pipeline, err = p.pipeline.Tolerant(h.Bad); err != nil {
		return err.Error()
	}
	return ""
}

func describe(p *pipeline.Pipeline) Description {
	d := Description{Graph: p.Outline(), Ranges: p.Ranges()}
	for _, o := range p.Outputs {
		d.Outputs = append(d.Outputs, Output(o))
	}
	for i := range p.Inputs {
		in := &p.Inputs[i]
		d.Inputs = append(d.Inputs, Input{Name: in.Name, Text: in.Text, Lines: in.Lines, Cut: in.Split != nil, Generate: in.Generate != nil, NoReplay: p.NoReplay(i)})
	}
	return d
}

// handle handles a message. It only waits long for the job's own functions,
// while the worker can ask for nothing else.
func (p *process) handle(ctx context.Context, k kind, payload []byte) error {
	switch k {
	case kindRun:
		var r Run
		if err := decode(payload, &r); err != nil {
			return err
		}
		return p.begin(ctx, &r)
	case kindCut:
		var c cut
		if err := decode(payload, &c); err != nil {
			return err
		}
		return p.sections(c.Input, func(in *pipeline.Input) ([]plan.Section, error) {
			if in.Split == nil {
				return nil, errNoFunction
			}
			return in.Split(c.Object, c.Target)
		})
	case kindGenerate:
		var g generate
		if err := decode(payload, &g); err != nil {
			return err
		}
		return p.sections(g.Input, func(in *pipeline.Input) ([]plan.Section, error) {
			if in.Generate == nil {
				return nil, errNoFunction
			}
			return in.Generate(g.Slots)
		})
	case kindGranted:
		var g granted
		if err := decode(payload, &g); err != nil {
			return err
		}
		if r := p.current(g.Attempt); r != nil {
			r.grant(g.All)
		}
		return nil
	case kindStop:
		var s stop
		if err := decode(payload, &s); err != nil {
			return err
		}
		if r := p.current(s.Attempt); r != nil {
			r.stop()
		}
		return nil
	default:
		return unexpected(k)
	}
}

var errNoFunction = errors.New("the input has no such function")

// sections calls a function of the job that makes sections, and sends the
// answer.
func (p *process) sections(input int, call func(*pipeline.Input) ([]plan.Section, error)) error {
	if input < 0 || input >= len(p.pipeline.Inputs) {
		return fmt.Errorf("the job has no input %d", input)
	}
	found, err := pipeline.Guard(func() ([]plan.Section, error) { return call(&p.pipeline.Inputs[input]) })
	if panicked, ok := errors.AsType[*pipeline.PanicError](err); ok {
		fmt.Fprintf(p.cfg.Stderr, "%v\n%s", err, panicked.Stack)
	}
	if err == nil && len(found) > maxList {
		err = fmt.Errorf("%d sections are too many: at most %d are possible", len(found), maxList)
	}
	if err != nil {
		return p.send(kindSections, sections{Failed: shorten(fmt.Sprintf("job %s, input %q: %v", p.pipeline.Job, p.pipeline.Inputs[input].Name, err))})
	}
	return p.send(kindSections, sections{Sections: found})
}

// maxWords bounds the text of a failure.
const maxWords = 64 << 10

func shorten(s string) string {
	if len(s) <= maxWords {
		return s
	}
	return s[:maxWords] + "…"
}
