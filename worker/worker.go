// Package worker is a worker process but for the work: it finds the master,
// tells it everything, carries out its orders, and drains. What an attempt does
// is the Runner's.
//
// Run is called once in a process, or by a test any number of times. One
// goroutine talks to the master; each attempt has one of its own. All have ended
// when Run returns.
//
// A worker keeps nothing that matters. When it cannot reach a master it goes on
// with what it runs, looks for another, and tells that one. Whom to believe is
// clear: orders of a lower epoch than one it has heard of are ignored.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// Leader is who a worker takes for the master.
type Leader struct {
	Epoch uint64 // 0 when it is not known
	URL   string
}

// Config says what a worker is.
type Config struct {
	// ID is the process's own, and of no process before it.
	ID string
	// Info is what the master is told of it.
	Info cluster.Info
	// Runner carries out attempts. Run closes it.
	Runner Runner
	// Find returns who leads. It is called when the one that was asked does not
	// answer, and may fail.
	Find func(ctx context.Context) (Leader, error)
	// Heard tells of new leaders; it saves the search for one. They get this
	// process's token, so that only those may be told that Find might return. Nil:
	// nobody tells.
	Heard <-chan Leader
	// HTTP carries requests.
	HTTP http.RoundTripper
	// Drain, when it is closed, lets the worker end: it takes no more work, and
	// hands back what has not ended after DrainTime. Nil: never.
	Drain <-chan struct{}
	// DrainTime is how long attempts may go on. 0: 30 s.
	DrainTime time.Duration
	// Hearing is how long an answer may take. 0: 10 s, which is some beats.
	Hearing time.Duration
	// Met is told whenever the worker meets a leader that it did not know. It
	// must be quick. Nil: nobody.
	Met func(Leader)
	// Log takes what goes on. Nil: nobody does.
	Log *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.ID == "":
		return c, errors.New("worker: it has no ID")
	case c.Info.Slots <= 0:
		return c, errors.New("worker: it has no slots")
	case c.Runner == nil || c.Find == nil || c.HTTP == nil:
		return c, errors.New("worker: Runner, Find and HTTP are needed")
	}
	if c.DrainTime == 0 {
		c.DrainTime = 30 * time.Second
	}
	if c.Hearing == 0 {
		c.Hearing = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Run works until the worker has drained, and then returns nil; until ctx ends,
// and then its cause, handing nothing back; or until a master refuses it.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	w := &worker{cfg: cfg, changed: make(chan struct{}, 1), slots: make(chan struct{}, cfg.Info.Slots),
		attempts: make(map[cluster.Ref]*attempt), outcomes: make(map[cluster.Ref]cluster.Outcome), accounts: make(map[plan.JobID]*account), lists: newLists()}
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	w.work = work
	talk := &talk{worker: w, asked: cfg.Drain}
	err = talk.run(ctx)
	stop(errEnding)
	w.running.Wait()
	return errors.Join(err, cfg.Runner.Close())
}

// errEnding is why attempts end with their worker.
var errEnding = errors.New("the worker ends")
