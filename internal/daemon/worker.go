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
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/runner"
	"github.com/windrow-mr/windrow/worker/sandbox"
)

func workerFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.IntFlag{Name: "slots", Usage: "`N` tasks at once", DefaultText: "one for each processor, two if the root is a bucket, as memory allows"},
		&urfave.StringFlag{Name: "memory", Value: "2GiB", Usage: "`SIZE` of the memory that this process and all job processes may take: 128MiB, and at least 88MiB for each slot"},
		&urfave.StringFlag{Name: "cache", Usage: "keep programs of jobs in the directory `DIR`", DefaultText: "windrow in the user's cache directory"},
		&urfave.StringFlag{Name: "cache-size", Value: "2GiB", Usage: "`SIZE` of the programs that are kept"},
		&urfave.DurationFlag{Name: "no-progress", Value: 10 * time.Minute, Usage: "kill a job process that has done nothing for `TIME`"},
		&urfave.DurationFlag{Name: "drain-time", Value: 30 * time.Second, Usage: "`TIME` for which attempts go on when the worker is to end; what is left then runs elsewhere"},
		&urfave.StringFlag{Name: "cgroup", Value: "auto", Usage: "`DIR` of a control group, of version 2, in which job processes get theirs; auto takes this process's own if it may, off does without"},
		&urfave.StringSliceFlag{Name: "env", Usage: "let job processes have the variable `NAME` of this one's environment; may be given more than once"},
	}
}

func workerCommand(p *Program) *urfave.Command {
	return &urfave.Command{
		Name:      "worker",
		Usage:     "run tasks for a cluster",
		ArgsUsage: " ",
		Description: "A worker keeps nothing: kill it, and start another anywhere with the same root. It finds the master by gossip, by\n" +
			"the root, or by --master.",
		Flags: append(append(append(append(rootFlags(), secretFlags()...), gossipFlags()...), workerFlags()...),
			&urfave.StringFlag{Name: "drain-url", Usage: "ask `URL` every 5 s, and drain when it answers 200 (and not FALSE): a cloud's notice of interruption"},
			&urfave.StringFlag{Name: "master", EnvVars: []string{"WINDROW_MASTER"}, Usage: "`URL` of a master, where it cannot be found by the root; several with commas between", Category: placeFlags},
			&urfave.StringFlag{Name: "health", Usage: "`HOST:PORT` at which /healthz and /readyz are answered", DefaultText: "none", Category: placeFlags},
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

// newRunner makes what carries attempts out, and what the master is told of it.
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

// slots returns how many tasks a worker runs at once if nobody says so. Where the
// root is a bucket, tasks wait for it part of their time.
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

// work is a worker until ctx ends, and then until it has drained.
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
			default: // one that was not heeded yet does as well
			}
		}
	})
	if err != nil {
		return errors.Join(err, r.Close())
	}
	var met atomic.Bool
	var beside sync.WaitGroup
	defer beside.Wait()
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if address := c.String("health"); address != "" {
		l, err := listen(ctx, address)
		if err != nil {
			return errors.Join(err, r.Close())
		}
		beside.Go(func() { _ = healthServer(serving, l, met.Load, s.log) })
	}
	beside.Go(func() { s.heed(serving, c.String("master"), hints, heard) })
	drain := make(chan struct{})
	beside.Go(func() {
		defer close(drain)
		s.awaitDrain(ctx, serving, c.String("drain-url"))
	})
	fmt.Fprintf(s.Stderr, "windrow: worker %s, %d slots, root %s\n", s.id, info.Slots, s.root.Name(""))
	err = worker.Run(context.WithoutCancel(ctx), worker.Config{ID: s.id, Info: info, Runner: r, Find: s.finder(c), Heard: heard,
		HTTP: transport, Drain: drain, DrainTime: c.Duration("drain-time"), Met: func(worker.Leader) { met.Store(true) }, Log: s.log})
	end()
	if node != nil {
		err = errors.Join(err, node.Stop())
	}
	return err
}

// local tells whether a worker that was not told of gossip takes part on loopback:
// when its root is on this machine.
func (s *process) local(c *urfave.Context) bool {
	return c.String("token-file") == "" && c.String("cert-file") == "" && !s.root.Remote()
}

// seeds returns whom the leader names, if somebody leads and nobody else was named.
func (s *process) seeds(ctx context.Context, c *urfave.Context) []string {
	if len(c.StringSlice("join")) > 0 {
		return nil
	}
	l, err := journal.Current(ctx, s.root)
	if err != nil || l.Gossip == "" {
		return nil // it may be found later, by the root
	}
	return []string{l.Gossip}
}

// finder returns how the leader is found: by those that were named, or by the
// root. Not by gossip, ever: who is found gets the token, and its orders are
// carried out, so that one who can gossip must not be able to name itself.
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

// heedEvery bounds how often gossip makes a worker read the root, whatever is
// gossiped.
const heedEvery = time.Second

// heed looks into the root when gossip tells of a leader with an epoch that was
// not seen there yet, and passes on who leads by what the root says. Masters that
// were named are kept to.
func (s *process) heed(ctx context.Context, named string, hints <-chan uint64, heard chan<- worker.Leader) {
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
			s.log.Debug("gossip tells of a leader, and the root does not say who leads", "error", err)
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
		case <-time.After(heedEvery):
		}
	}
}

const (
	noticeEvery = 5 * time.Second
	noticeTime  = 2 * time.Second
)

// awaitDrain waits for the end of ctx, of the worker, or for a notice of
// interruption.
func (s *process) awaitDrain(ctx, life context.Context, url string) {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		if url != "" && s.noticed(life, url) {
			s.log.Info("this machine is to be taken away: draining", "notice", url)
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
	r.Header.Set("Metadata-Flavor", "Google") // others do not mind
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return err == nil && resp.StatusCode == http.StatusOK && strings.TrimSpace(string(text)) != "FALSE"
}
