package jobproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/relay"
)

// Host is what an attempt asks of its worker.
type Host interface {
	// Grant waits until the attempt may make its part visible. It returns all
	// attempts of its task that were ever granted.
	Grant(ctx context.Context) ([]plan.AttemptID, error)
	// Progress reports how much is done so far: bytes of input, and records.
	Progress(bytes, records int64)
}

// Session is the worker's end of the connection to a job process.
type Session struct {
	link
	grace time.Duration
	plan  Description

	mu     sync.Mutex // of one call at a time
	broken error
}

// Open sends the hello to the process at the other end of conn, and waits until
// it is ready. Grace is how long an attempt that is stopped may take to end. A
// *Refusal says that the process cannot work on the job. The session owns conn,
// also when Open fails.
func Open(ctx context.Context, conn net.Conn, h Hello, grace time.Duration) (*Session, error) {
	s := &Session{link: link{conn: conn}, grace: grace}
	h.Version = Version
	done := s.during(ctx)
	err := s.open(h)
	done()
	if err != nil {
		_ = conn.Close()
		return nil, s.explain(ctx, err)
	}
	return s, nil
}

func (s *Session) open(h Hello) error {
	if err := s.send(kindHello, h); err != nil {
		return err
	}
	k, payload, err := s.receive()
	if err != nil {
		return err
	}
	var r ready
	switch k {
	case kindRefused:
		return refusal(payload)
	case kindReady:
		err = decode(payload, &r)
	default:
		return unexpected(k)
	}
	switch {
	case err != nil:
		return err
	case r.Version != Version:
		return &Refusal{otherVersion(r.Version, Version)}
	case r.Plan != h.Plan:
		return errors.New("it is ready for another plan than the worker sent")
	}
	s.plan = r.Description
	if err := s.plan.check(); err != nil {
		return fmt.Errorf("a description of a job that cannot be: %w", err)
	}
	return nil
}

func otherVersion(process, worker int) string {
	return fmt.Sprintf("the job was built with another release of windrow: its process has version %d of the protocol, the worker version %d; build the job with the release that the workers run, or update the workers", process, worker)
}

func refusal(payload []byte) error {
	var r refused
	if err := decode(payload, &r); err != nil {
		return err
	}
	return &Refusal{r.Text}
}

func unexpected(k kind) error { return fmt.Errorf("a frame of kind %d, which is not expected", k) }

// Plan describes the pipeline that the process made.
func (s *Session) Plan() *Description { return &s.plan }

// Close ends the connection, and with it the process.
func (s *Session) Close() error { return s.conn.Close() }

// during makes receiving fail soon after ctx has ended, until done.
func (s *Session) during(ctx context.Context) (done func()) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = s.conn.SetReadDeadline(time.Now())
	})
	return func() {
		if !stop() {
			<-fired
		}
		_ = s.conn.SetReadDeadline(time.Time{})
	}
}

// call makes one call at a time, and none on a connection that failed.
func (s *Session) call(ctx context.Context, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	err := do()
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return refused
	}
	if long, ok := errors.AsType[*tooLong](err); ok {
		return long // nothing was sent
	}
	s.broken = s.explain(ctx, err)
	_ = s.conn.Close()
	return s.broken
}

// explain returns what an error of the connection means.
func (s *Session) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if relay.Gone(err) || errors.Is(err, net.ErrClosed) {
		return &Broken{errors.New("the job process closed its connection to the worker"), true}
	}
	if _, ok := errors.AsType[*Refusal](err); ok {
		return err
	}
	return &Broken{fmt.Errorf("the job process breaks the protocol: %w", err), false}
}

// Broken says that the connection can no longer be used.
type Broken struct {
	Err  error
	Gone bool // the process has ended, or is about to; otherwise it broke the protocol
}

// Error returns the cause.
func (b *Broken) Error() string { return b.Err.Error() }

// Unwrap returns the cause.
func (b *Broken) Unwrap() error { return b.Err }

// Cut divides an object of an input by the job's own function.
func (s *Session) Cut(ctx context.Context, input int, o plan.Object, target int64) ([]plan.Section, error) {
	return s.sections(ctx, kindCut, cut{input, o, target})
}

// Generate makes the sections of an input by the job's own function.
func (s *Session) Generate(ctx context.Context, input, slots int) ([]plan.Section, error) {
	return s.sections(ctx, kindGenerate, generate{input, slots})
}

func (s *Session) sections(ctx context.Context, k kind, question any) (found []plan.Section, err error) {
	err = s.call(ctx, func() error {
		defer s.during(ctx)()
		if err := s.send(k, question); err != nil {
			return err
		}
		got, payload, err := s.receive()
		if err != nil {
			return err
		}
		if got != kindSections {
			return unexpected(got)
		}
		var answer sections
		if err := decode(payload, &answer); err != nil {
			return err
		}
		if answer.Failed != "" {
			return &Refusal{answer.Failed}
		}
		found = answer.Sections
		return nil
	})
	return found, err
}

// Run runs an attempt to its end. When ctx ends the attempt is stopped, and has
// the grace of Open to report its end. Then the error is nil too, and the
// Verdict says Stopped, or the attempt was done.
func (s *Session) Run(ctx context.Context, r Run, host Host) (ended *Ended, err error) {
	err = s.call(ctx, func() error {
		a := &attempt{session: s, run: &r, host: host}
		ended, err = a.execute(ctx)
		return err
	})
	return ended, err
}

// attempt is the attempt that runs.
type attempt struct {
	session *Session
	run     *Run
	host    Host
	all     []plan.AttemptID // the granted attempts; known once granting is done
	asked   bool
	asking  sync.WaitGroup
	over    func() // ends the watch for the end of ctx, see stopAfter
}

func (a *attempt) execute(ctx context.Context) (*Ended, error) {
	s := a.session
	ctx, cancel := context.WithCancelCause(ctx)
	defer a.asking.Wait()
	defer cancel(nil)
	if err := s.send(kindRun, a.run); err != nil {
		return nil, err
	}
	a.over = sync.OnceFunc(a.stopAfter(ctx))
	defer a.over()
	for {
		k, payload, err := s.receive()
		if err != nil {
			return nil, err
		}
		switch k {
		case kindProgress:
			var p progress
			if err := decode(payload, &p); err != nil {
				return nil, err
			}
			a.host.Progress(p.Bytes, p.Records)
		case kindAsk:
			var q ask
			if err := decode(payload, &q); err != nil {
				return nil, err
			}
			if a.asked || q.Attempt != a.run.Attempt {
				return nil, errors.New("it asks for another attempt's grant, or twice")
			}
			a.asked = true
			a.asking.Go(func() { a.grant(ctx, cancel) })
		case kindEnded:
			return a.end(cancel, payload)
		default:
			return nil, unexpected(k)
		}
	}
}

// stopAfter stops the attempt when ctx ends, and bounds how long that takes,
// until done.
func (a *attempt) stopAfter(ctx context.Context) (done func()) {
	s := a.session
	fired := make(chan struct{})
	off := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = s.conn.SetReadDeadline(time.Now().Add(s.grace))
		if s.send(kindStop, stop{a.run.Attempt}) != nil {
			_ = s.conn.SetReadDeadline(time.Now())
		}
	})
	return func() {
		if !off() {
			<-fired
		}
		_ = s.conn.SetReadDeadline(time.Time{})
	}
}

// grant asks for the attempt's grant and sends the answer.
func (a *attempt) grant(ctx context.Context, cancel context.CancelCauseFunc) {
	all, err := a.host.Grant(ctx)
	if err != nil {
		cancel(err)
		return
	}
	a.all = all
	if err := a.session.send(kindGranted, granted{a.run.Attempt, all}); err != nil {
		cancel(err)
	}
}

// mostReads is more than an attempt can read, in requests or bytes; it keeps
// sums of many attempts from overflowing.
const mostReads = 1 << 48

// end reads the end of the attempt, and checks that it is possible.
func (a *attempt) end(cancel context.CancelCauseFunc, payload []byte) (*Ended, error) {
	var e Ended
	if err := decode(payload, &e); err != nil {
		return nil, err
	}
	a.over()
	cancel(nil)
	a.asking.Wait()
	known := e.Winner == a.run.Attempt || slices.Contains(a.all, e.Winner)
	sections := 0
	for i := range a.run.Splits {
		sections += len(a.run.Splits[i].Sections)
	}
	switch {
	case e.Attempt != a.run.Attempt:
		return nil, fmt.Errorf("it reports the end of attempt %v, and works on %v", e.Attempt, a.run.Attempt)
	case e.Verdict == nil && !known:
		return nil, fmt.Errorf("it says that attempt %v won, which was not granted", e.Winner)
	case e.Reads.Gets < 0 || e.Reads.Gets > mostReads || e.Reads.Bytes < 0 || e.Reads.Bytes > mostReads:
		return nil, fmt.Errorf("it reports %d reads and %d bytes", e.Reads.Gets, e.Reads.Bytes)
	case len(e.Sums) > sections:
		return nil, fmt.Errorf("it reports the sums of %d sections of %d", len(e.Sums), sections)
	}
	a.host.Progress(e.Bytes, e.Records)
	return &e, nil
}
