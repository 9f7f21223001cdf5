// Package worker is a worker process without the work itself: it finds the
// master, reports everything to it, carries out its orders, and drains. The
// Runner does that work.
//
// A process calls Run once; a test may call it any number of times. One
// goroutine talks to the master; each attempt has one of its own. All have ended
// when Run returns.
//
// A worker keeps no state that a job depends on. When it cannot reach a master
// it continues what it runs, looks for another master, and reports to that one.
// It ignores orders of a lower epoch than the highest one it knows.
//
// It is part of the engine, and may change between minor versions.
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

// Leader is the process that a worker takes for the master.
type Leader struct {
	Epoch uint64 // 0 when it is not known
	URL   string
}

// Config describes a worker.
type Config struct {
	// ID is the process's own, and of no earlier process.
	ID string
	// Info describes the worker to the master.
	Info cluster.Info
	// Runner carries out attempts. Run closes it.
	Runner Runner
	// Find returns the leader. It is called when the known leader does not
	// answer, and may fail.
	Find func(ctx context.Context) (Leader, error)
	// Heard receives new leaders, which saves the search for one. A new leader
	// receives this process's token: only leaders that Find could return may be
	// sent. Nil: none are sent.
	Heard <-chan Leader
	// HTTP carries requests.
	HTTP http.RoundTripper
	// Drain ends the worker when it is closed: the worker takes no more work,
	// and hands back the attempts that have not ended after DrainTime. Nil:
	// never.
	Drain <-chan struct{}
	// DrainTime is how long attempts may continue. 0: 30 s.
	DrainTime time.Duration
	// Hearing is how long an answer may take. 0: 10 s, a few beats.
	Hearing time.Duration
	// Met is called when the worker meets a leader that it did not know. It
	// must be quick. Nil: no call.
	Met func(Leader)
	// Log receives the worker's events. Nil: no log.
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

// Run works until the worker has drained, and then returns nil. When ctx ends
// it returns the cause and hands nothing back. It also returns when a master
// refuses the worker.
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
