package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/cluster/gossip"
	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/runner"
	"github.com/windrow-mr/windrow/worker/sandbox"
)

func workerFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.IntFlag{Name: "slots", Usage: "run `N` tasks at once", DefaultText: "one for each processor, two if the root is a bucket, as memory allows"},
		&urfave.StringFlag{Name: "memory", Value: "2GiB", Usage: "`SIZE` of the memory for this process and all job processes, at least 128MiB and 88MiB for each slot"},
		&urfave.StringFlag{Name: "cache", Usage: "keep programs of jobs in the directory `DIR`", DefaultText: "windrow in the user's cache directory"},
		&urfave.StringFlag{Name: "cache-size", Value: "2GiB", Usage: "keep programs up to `SIZE` in all"},
		&urfave.DurationFlag{Name: "no-progress", Value: 10 * time.Minute, Usage: "kill a job process that has made no progress for `TIME`"},
		&urfave.DurationFlag{Name: "drain-time", Value: 30 * time.Second, Usage: "let attempts continue for `TIME` when the worker must end; the rest then runs elsewhere"},
		&urfave.StringFlag{Name: "cgroup", Value: "auto", Usage: "create the control groups of job processes in `DIR`, of version 2; auto uses this process's own if permitted, off uses none"},
		&urfave.StringSliceFlag{Name: "env", Usage: "pass the environment variable `NAME` to job processes; can be repeated"},
	}
}

func workerCommand(p *Program) *urfave.Command {
	return &urfave.Command{
		Name:      "worker",
		Usage:     "run tasks for a cluster",
		ArgsUsage: " ",
		Description: "A worker has no state: kill it, and start another anywhere with the same root. It finds the master by gossip, by\n" +
			"the root, or by --master.",
		Flags: append(append(append(append(rootFlags(), secretFlags()...), gossipFlags()...), workerFlags()...),
			&urfave.StringFlag{Name: "drain-url", Usage: "request `URL`, a cloud's notice of interruption, every 5 s, and drain when it answers 200 (and not FALSE)"},
			&urfave.StringFlag{Name: "master", Usage: "`URL` of a master, if the root cannot be used to find it; separate several with commas", Category: placeFlags},
			&urfave.StringFlag{Name: "health", Usage: "answer /healthz and /readyz at `HOST:PORT`", DefaultText: "none", Category: placeFlags},
		),
		Action: func(c *urfave.Context) error {
			if c.NArg() > 0 {
				return cli.Invalidf(c, "unexpected argument %q", c.Args().First())
			}
			s, err := newProcess(c, p)
			if err != nil {
				return err
			}
			ctx, stop := signals(c.Context, s.log)
			defer stop()
			return errors.Join(s.work(ctx, c), s.close())
		},
	}
}

// newRunner returns the runner of attempts, and the description of the worker for
// the master.
func (s *process) newRunner(c *urfave.Context) (*runner.Runner, cluster.Info, error) {
	info := cluster.Info{Host: s.host, PID: os.Getpid(), Build: buildVersion(), OS: runtime.GOOS, Arch: runtime.GOARCH, Slots: c.Int("slots")}
	var err error
	if info.Memory, err = cli.ParseSize(c.String("memory")); err != nil {
		return nil, info, cli.Invalidf(c, "--memory: %v", err)
	}
	cache, err := cli.ParseSize(c.String("cache-size"))
	if err != nil {
		return nil, info, cli.Invalidf(c, "--cache-size: %v", err)
	}
	if info.Slots == 0 {
		info.Slots = s.slots(info.Memory)
	}
	group := c.String("cgroup")
	switch group {
	case "auto":
		group = sandbox.DelegatedCgroup()
	case off:
		group = ""
	}
	r, err := runner.New(runner.Config{Cgroup: group, Root: s.root, Roots: s.roots, Slots: info.Slots, Memory: info.Memory, CacheDir: c.String("cache"),
		CacheBytes: cache, Build: info.Build, Host: s.host, NoProgress: c.Duration("no-progress"), Inherit: c.StringSlice("env"), Log: s.log})
	if err != nil {
		return nil, info, cli.Invalidf(c, "%v", err)
	}
	return r, info, nil
}

// slots returns the default number of tasks that a worker runs at once. If the root
// is a bucket, tasks wait for it part of their time, so that there are more of
// them.
func (s *process) slots(memory int64) int {
	n := max(runtime.GOMAXPROCS(0), 1)
	if s.root.Remote() {
		n *= 2
	}
	for n > 1 && runner.LeastMemory(n) > memory {
		n--
	}
	return n
}

// work runs a worker until ctx ends, and then until it has drained.
func (s *process) work(ctx context.Context, c *urfave.Context) error {
	transport, err := secrets(c).Transport()
	if err != nil {
		return cli.Invalidf(c, "%v", err)
	}
	r, info, err := s.newRunner(c)
	if err != nil {
		return err
	}
	limitMemory(info.Memory - int64(info.Slots)*(64<<20))
	hints, heard := make(chan uint64, 1), make(chan worker.Leader, 1)
	node, err := s.startGossip(c, s.local(c), gossip.Meta{Role: gossip.Worker, Slots: info.Slots}, s.seeds(ctx, c), func(e gossip.Event) {
		if m := e.Member.Meta; m.Role == gossip.Master && (e.Kind == gossip.Joined || e.Kind == gossip.Changed) {
			select {
			case hints <- m.Epoch:
			default: // a hint that waits already does as well
			}
		}
	})
	if err != nil {
		return errors.Join(err, r.Close())
	}
	var met atomic.Bool
	var helpers sync.WaitGroup
	defer helpers.Wait()
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if address := c.String("health"); address != "" {
		l, err := listen(ctx, address)
		if err != nil {
			return errors.Join(err, r.Close())
		}
		helpers.Go(func() { _ = healthServer(serving, l, met.Load, s.log) })
	}
	helpers.Go(func() { s.followHints(serving, c.String("master"), hints, heard) })
	drain := make(chan struct{})
	helpers.Go(func() {
		defer close(drain)
		s.awaitDrain(ctx, serving, c.String("drain-url"))
	})
	fmt.Fprintf(s.Stderr, "windrow: worker %s, %s, root %s\n", s.id, plural.Of(info.Slots, "slot"), s.root.Name(""))
	err = worker.Run(context.WithoutCancel(ctx), worker.Config{ID: s.id, Info: info, Runner: r, Find: s.finder(c), Heard: heard,
		HTTP: transport, Drain: drain, DrainTime: c.Duration("drain-time"), Met: func(worker.Leader) { met.Store(true) }, Log: s.log})
	end()
	if node != nil {
		err = errors.Join(err, node.Stop())
	}
	return err
}

// local reports whether a worker takes part in gossip on loopback by default: it
// does if its root is on this machine, and it has neither a token nor a certificate.
func (s *process) local(c *urfave.Context) bool {
	return c.String("token-file") == "" && c.String("cert-file") == "" && !s.root.Remote()
}

// seeds returns the gossip address of the leader, unless the user named other
// processes.
func (s *process) seeds(ctx context.Context, c *urfave.Context) []string {
	if len(c.StringSlice("join")) > 0 {
		return nil
	}
	l, err := journal.Current(ctx, s.root)
	if err != nil || l.Gossip == "" {
		return nil // the leader can be found later, by the root
	}
	return []string{l.Gossip}
}

// finder returns a function that finds the leader, by the masters that the user
// named, or by the root. It never uses gossip: the process that it finds gets the
// token, and the worker obeys its orders. A process that can only gossip must not
// be able to name itself.
func (s *process) finder(c *urfave.Context) func(context.Context) (worker.Leader, error) {
	var named []string
	if text := c.String("master"); text != "" {
		named = strings.Split(text, ",")
	}
	next := 0
	return func(ctx context.Context) (worker.Leader, error) {
		if len(named) > 0 {
			next++
			return worker.Leader{URL: named[(next-1)%len(named)]}, nil
		}
		l, err := journal.Current(ctx, s.root)
		return worker.Leader{Epoch: l.Epoch, URL: l.URL}, err
	}
}

// hintPause is the least time between two reads of the root because of gossip.
const hintPause = time.Second

// followHints reads the root when gossip names a leader whose epoch the root has
// not shown yet, and passes on the leader that the root names. If the user named
// masters, it does nothing.
func (s *process) followHints(ctx context.Context, named string, hints <-chan uint64, heard chan<- worker.Leader) {
	if named != "" {
		return
	}
	var known uint64
	for {
		select {
		case <-ctx.Done():
			return
		case epoch := <-hints:
			if epoch <= known {
				continue
			}
		}
		l, err := journal.Current(ctx, s.root)
		switch {
		case err != nil:
			s.log.Debug("gossip names a leader, but the root cannot be read", "error", err)
		case l.Epoch > known && l.URL != "":
			known = l.Epoch
			select {
			case heard <- worker.Leader{Epoch: l.Epoch, URL: l.URL}:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(hintPause):
		}
	}
}

const (
	noticeEvery = 5 * time.Second
	noticeTime  = 2 * time.Second
)

// awaitDrain returns when ctx ends, when life ends, or when there is a notice of
// interruption.
func (s *process) awaitDrain(ctx, life context.Context, url string) {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		if url != "" && s.noticed(life, url) {
			s.log.Info("this machine will be taken away: draining", "notice", url)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-life.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *process) noticed(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	r.Header.Set("Metadata-Flavor", "Google") // other clouds ignore it
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return err == nil && resp.StatusCode == http.StatusOK && strings.TrimSpace(string(text)) != "FALSE"
}
