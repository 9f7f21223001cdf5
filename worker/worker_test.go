package worker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker"
)

// TestRepeatedLaunchesRunOnce verifies that an attempt runs once although a
// master repeats its orders, as one does that does not know whether it was
// heard.
func TestRepeatedLaunchesRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := launch(1)
		d, h := newDesk(1, l), &hands{do: takes(5 * time.Second)}
		d.forget = true
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}})
		time.Sleep(time.Minute)
		if n := h.times(l); n != 1 {
			t.Errorf("the attempt was started %d times", n)
		}
		if s := d.last(); len(s.Outcomes) != 1 || s.Outcomes[0].Ref != l.Ref || s.Outcomes[0].Result != cluster.Done {
			t.Errorf("an outcome that was not acknowledged is not reported: %+v", s)
		}
		d.change(func(d *desk) { d.forget, d.launches, d.ended = false, nil, []plan.JobID{"01JOB"} })
		time.Sleep(10 * time.Second)
		if s := d.last(); len(s.Outcomes) != 0 {
			t.Errorf("an outcome that was acknowledged is reported again: %+v", s)
		}
		if n, _, _ := h.seen(); n == 0 {
			t.Error("a job that has ended is not forgotten")
		}
	})
}

func TestLaunchesBeyondSlotsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, h := newDesk(1, launch(1), launch(2), launch(3), launch(4), launch(5)), &hands{do: takes(4 * time.Second)}
		d.forget = true
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}})
		time.Sleep(20 * time.Second)
		_, _, most := h.seen()
		d.change(func(d *desk) {
			if len(d.outcomes) != 5 || most != 2 {
				t.Errorf("%d attempts of 5 ended, at most %d at once on 2 slots", len(d.outcomes), most)
			}
		})
	})
}

func TestStopsAndEndsAreReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := launch(1)
		d, h := newDesk(1, l), &hands{do: takes(time.Hour)}
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}})
		time.Sleep(3 * time.Second)
		d.change(func(d *desk) { d.launches, d.stops = nil, []cluster.Ref{l.Ref} })
		time.Sleep(3 * time.Second)
		if o := d.outcome(l); o.Result != cluster.Lost {
			t.Errorf("an attempt that was stopped is reported as %+v", o)
		}
	})
}

func TestWorkerDrains(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]func(chan struct{}, *desk){
		"by itself":   func(c chan struct{}, _ *desk) { close(c) },
		"by a master": func(_ chan struct{}, d *desk) { d.change(func(d *desk) { d.drain = true }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				short, long, queued := launch(1), launch(2), launch(3)
				d := newDesk(1, short, long)
				h := &hands{do: func(ctx context.Context, l cluster.Launch, host worker.Host) cluster.Outcome {
					if l.Ref == short.Ref {
						return takes(10*time.Second)(ctx, l, host)
					}
					return takes(time.Hour)(ctx, l, host)
				}}
				drain := make(chan struct{})
				ended := start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}, Drain: drain, DrainTime: 20 * time.Second})
				time.Sleep(2 * time.Second)
				d.change(func(d *desk) { d.launches = []cluster.Launch{queued} })
				time.Sleep(2 * time.Second)
				d.change(func(d *desk) { d.launches = nil })
				by(drain, d)
				began := time.Now()
				if err := <-ended; err != nil {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(began); took < 20*time.Second || took > 25*time.Second {
					t.Errorf("it drained for %v of 20s", took)
				}
				if o := d.outcome(short); o.Result != cluster.Done {
					t.Errorf("an attempt that ends in time is reported as %+v", o)
				}
				for _, l := range []cluster.Launch{long, queued} {
					if o := d.outcome(l); o.Result != cluster.Lost || !strings.Contains(o.Text, "drains") {
						t.Errorf("an attempt that does not end in time is reported as %+v", o)
					}
				}
				if s := d.last(); !s.Leaving || !s.Draining || len(s.Running)+len(s.Outcomes) > 0 {
					t.Errorf("its last message is %+v", s)
				}
			})
		})
	}
}

// TestDrainEndsWithoutMaster verifies that a drain ends without a master: the
// machine may be removed soon.
func TestDrainEndsWithoutMaster(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func(context.Context) (worker.Leader, error){
		"no leader":              func(context.Context) (worker.Leader, error) { return worker.Leader{}, nil },
		"no leader answers":      finds(2, "nothing"),
		"the store does not say": func(ctx context.Context) (worker.Leader, error) { return worker.Leader{}, rest(ctx, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, h := newDesk(1, launch(1)), &hands{do: takes(time.Hour)}
				drain, net := make(chan struct{}), wire{"m": d}
				first := true
				ended := start(t, worker.Config{Runner: h, HTTP: dying{net, time.Now().Add(5 * time.Second)}, Drain: drain, Find: func(ctx context.Context) (worker.Leader, error) {
					if first {
						first = false
						return finds(1, "m")(ctx)
					}
					return find(ctx)
				}})
				time.Sleep(20 * time.Second)
				if _, now, _ := h.seen(); h.times(launch(1)) != 1 || now != 1 {
					t.Error("work does not continue without a master")
				}
				close(drain)
				began := time.Now()
				if err := <-ended; err != nil {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(began); took > time.Minute {
					t.Errorf("it drained for %v", took)
				}
			})
		})
	}
}

// A worker does not obey a master that was deposed.
func TestLowerEpochIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, first := launch(1), launch(2)
		deposed, leads := newDesk(4, old), newDesk(5, first)
		h := &hands{do: takes(time.Second)}
		hosts := []string{"leads", "deposed"}
		start(t, worker.Config{Runner: h, HTTP: switching{wire{"leads": leads, "deposed": deposed}, time.Now().Add(10 * time.Second)},
			Find: func(ctx context.Context) (worker.Leader, error) {
				defer func() { hosts = hosts[len(hosts)-1:] }()
				return finds(0, hosts[0])(ctx) // a hint without an epoch
			}})
		time.Sleep(time.Minute)
		if h.times(first) != 1 {
			t.Error("the leader is not obeyed")
		}
		synctest.Wait()
		if len(deposed.heard) == 0 {
			t.Fatal("the deposed master was not asked")
		}
		if h.times(old) != 0 {
			t.Error("orders of a lower epoch are carried out")
		}
		for _, s := range deposed.heard {
			if s.Heard != 0 || s.Epoch != 5 {
				t.Errorf("a worker that knows epoch 5 says %+v to another master", s)
			}
		}
	})
}

func TestOtherVersionsEndTheWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(1)
		d.version = cluster.Version + 1
		err := <-start(t, worker.Config{Runner: &hands{}, Find: finds(1, "m"), HTTP: wire{"m": d}})
		if _, ok := errors.AsType[*cluster.Refused](err); !ok || !strings.Contains(err.Error(), "same build") {
			t.Errorf("a master of another version: %v", err)
		}
	})
}

func TestGrantIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := launch(1)
		d := newDesk(1, l)
		all := []plan.AttemptID{{Epoch: 1, N: 7}, l.Attempt}
		var got []plan.AttemptID
		var at time.Time
		h := &hands{do: func(ctx context.Context, _ cluster.Launch, host worker.Host) cluster.Outcome {
			var err error
			if got, err = host.Grant(ctx); err != nil {
				return cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: err.Error()}}
			}
			at = time.Now()
			return cluster.Outcome{Result: cluster.Done}
		}}
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}})
		time.Sleep(10 * time.Second)
		if s := d.last(); len(s.Running) != 1 || !s.Running[0].Asking {
			t.Fatalf("its request for a grant is not reported: %+v", s)
		}
		granted := time.Now()
		d.change(func(d *desk) { d.grants[l.Ref], d.launches = all, nil })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !slices.Equal(got, all) || at.Before(granted) {
			t.Errorf("it was granted %v at %v, and has %v at %v", all, granted, got, at)
		}
		if o := d.outcome(l); o.Result != cluster.Done {
			t.Errorf("it ended as %+v", o)
		}
	})
}

func TestWorkIsAskedForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := []plan.AttemptID{{Epoch: 1, N: 1}, {Epoch: 1, N: 2}}
		one, two, stale := launch(1), launch(2), launch(3)
		one.Work, two.Work, stale.Work = 2, 2, 1
		d := newDesk(1, one, two, stale)
		failures := 3
		d.work = func(q *cluster.WorkQuery) (*cluster.WorkAnswer, error) {
			if failures--; failures >= 0 {
				return nil, errNobody
			}
			if q.Generation != 2 {
				return &cluster.WorkAnswer{Stale: true}, nil
			}
			return &cluster.WorkAnswer{Work: plan.Work{Reads: []plan.Results{{Attempts: list}}}}, nil
		}
		h := &hands{do: func(ctx context.Context, l cluster.Launch, host worker.Host) cluster.Outcome {
			got, err := host.Work(ctx)
			switch {
			case errors.Is(err, worker.ErrStale):
				return cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: "stale"}}
			case err != nil || len(got.Reads) != 1 || !slices.Equal(got.Reads[0].Attempts, list):
				return cluster.Outcome{Result: cluster.Failed, Failure: plan.Failure{Text: "it has other work"}}
			}
			return cluster.Outcome{Result: cluster.Done}
		}}
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}, Info: cluster.Info{Slots: 1}})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if d.outcome(one).Result != cluster.Done || d.outcome(two).Result != cluster.Done || d.outcome(stale).Text != "stale" {
			t.Errorf("they ended as %+v", d.outcomes)
		}
		if d.asked != 3+2 {
			t.Errorf("it asked %d times, want 3 failures and one for each list", d.asked)
		}
	})
}

func TestWorkerFollowsToTheLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := launch(1)
		stands, leads := newDesk(1), newDesk(2, l)
		stands.leader = "http://b"
		h := &hands{do: takes(time.Second)}
		met := make(chan worker.Leader, 9)
		start(t, worker.Config{Runner: h, Find: finds(0, "a"), HTTP: wire{"a": stands, "b": leads}, Met: func(l worker.Leader) { met <- l }})
		if got := <-met; got != (worker.Leader{Epoch: 2, URL: "http://b"}) {
			t.Errorf("it met %+v", got)
		}
		time.Sleep(5 * time.Second)
		if h.times(l) != 1 {
			t.Error("the leader is not obeyed")
		}
	})
}

// TestMeetingIsReported verifies that Met is called for a master also when news
// comes before its first answer.
func TestMeetingIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, h := newDesk(1), &hands{}
		heard := make(chan worker.Leader, 1)
		heard <- worker.Leader{Epoch: 1, URL: "http://m"}
		var met []worker.Leader
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), Heard: heard, HTTP: wire{"m": d}, Met: func(l worker.Leader) { met = append(met, l) }})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if len(met) != 1 || met[0] != (worker.Leader{Epoch: 1, URL: "http://m"}) {
			t.Errorf("met are %v", met)
		}
	})
}

// TestNextLeaderIsMet verifies that Met is called for the next leader too,
// though nothing failed between them.
func TestNextLeaderIsMet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, next, h := newDesk(1), newDesk(2), &hands{}
		heard := make(chan worker.Leader, 1)
		var met []worker.Leader
		start(t, worker.Config{Runner: h, Find: finds(1, "a"), Heard: heard, HTTP: wire{"a": first, "b": next}, Met: func(l worker.Leader) { met = append(met, l) }})
		time.Sleep(10 * time.Second)
		heard <- worker.Leader{Epoch: 2, URL: "http://b"}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if want := []worker.Leader{{Epoch: 1, URL: "http://a"}, {Epoch: 2, URL: "http://b"}}; !slices.Equal(met, want) {
			t.Errorf("met are %v, want %v", met, want)
		}
	})
}
