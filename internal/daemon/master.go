package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/cluster/gossip"
	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
)

func masterCommand(p *Program) *urfave.Command {
	return &urfave.Command{
		Name:      "master",
		Usage:     "run a master of a cluster, which leads or stands by",
		ArgsUsage: " ",
		Description: "A cluster keeps its state at its root. Start as many masters as you like: one leads, and another takes over\n" +
			"when the leader is gone for 15 s, or at once when it resigns (SIGTERM).",
		Flags: append(append(append(rootFlags(), secretFlags()...), gossipFlags()...),
			&urfave.StringFlag{Name: "listen", Value: client.DefaultAddress, Usage: "`HOST:PORT` for clients and workers; port 0 picks one", Category: placeFlags},
			&urfave.StringFlag{Name: "advertise", Usage: "`URL` by which others reach this master", DefaultText: "the address at which it listens", Category: placeFlags},
			&urfave.DurationFlag{Name: "keep", Value: 24 * time.Hour, Usage: "keep data of ended jobs for `TIME`; gc then removes it"},
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
			m, err := s.newMaster(ctx, c)
			if err == nil {
				err = m.run(ctx)
			}
			return errors.Join(err, s.close())
		},
	}
}

// master is a master process.
type master struct {
	*process
	control  *control.Master
	server   *auth.Server
	listener net.Listener
	gossip   *gossip.Node // nil for none
	url      string
}

// newMaster returns a master that already listens.
func (s *process) newMaster(ctx context.Context, c *urfave.Context) (m *master, err error) {
	m = &master{process: s}
	if err := control.Check(ctx, s.root); err != nil {
		return nil, err
	}
	address := c.String("listen")
	if m.server, err = secrets(c).Server(ctx, address); err != nil {
		return nil, cli.Invalidf(c, "%v", err)
	}
	if m.server.Plain {
		s.log.Warn("tokens and data cross the network unencrypted: give --cert-file and --key-file, or let only a private network reach this address", "listen", address)
	}
	listener, err := listen(ctx, address)
	if err != nil {
		return nil, err
	}
	m.listener = listener
	defer func() {
		if err != nil {
			err = errors.Join(err, listener.Close())
		}
	}()
	if m.url, err = m.advertised(c); err != nil {
		return nil, err
	}
	if m.gossip, err = s.startGossip(c, m.server.Open, gossip.Meta{Role: gossip.Standby, URL: m.url}, s.seeds(ctx, c), m.notice); err != nil {
		return nil, err
	}
	me := control.Config{ID: s.id, URL: m.url, Host: s.host, Build: buildVersion(), Root: s.root, Roots: s.roots, Allows: s.roots.Allows,
		Clock: journal.BootClock, Keep: c.Duration("keep"), Haste: s.Haste, Leads: m.spreadLeader, Log: s.log}
	if m.gossip != nil {
		me.Gossip = m.gossip.Address()
	}
	if m.control, err = control.New(me); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Stderr, "windrow: master %s at %s, root %s", s.id, m.url, s.root.Name(""))
	if me.Gossip != "" {
		fmt.Fprintf(s.Stderr, ", gossip at %s", me.Gossip)
	}
	fmt.Fprintln(s.Stderr)
	return m, nil
}

// advertised returns the URL by which others reach this master.
func (m *master) advertised(c *urfave.Context) (string, error) {
	if url := c.String("advertise"); url != "" {
		return url, nil
	}
	host, port, err := net.SplitHostPort(m.listener.Addr().String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = m.host
	}
	scheme := "http"
	if m.server.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// spreadLeader spreads the address of the leader by gossip.
func (m *master) spreadLeader(l journal.Leader) {
	if m.gossip == nil {
		return
	}
	meta := gossip.Meta{Role: gossip.Standby, URL: m.url}
	if l.Master == m.id {
		meta.Role, meta.Epoch = gossip.Master, l.Epoch
	}
	if err := m.gossip.Announce(meta); err != nil {
		m.log.Warn("gossip cannot spread which master leads", "error", err)
	}
}

// notice handles an event of gossip about a worker. It is only a hint.
func (m *master) notice(e gossip.Event) {
	if e.Kind == gossip.Suspect && e.Member.Meta.Role == gossip.Worker && m.control != nil {
		m.control.Doubt(e.Member.Name)
	}
}

// backend is what a master serves: the API, and the workers' protocol.
type backend interface {
	api.Backend
	cluster.Master
}

// doors returns all handlers of a master's listener. The guard against web pages stands
// in front of all of them, and each has the authorization of its clients.
func doors(s *auth.Server, b backend, log *slog.Logger) http.Handler {
	cfg := api.Config{Loopback: s.Open, Log: log}
	mux := http.NewServeMux()
	mux.Handle(cluster.Path, s.Workers(cluster.Handler(b)))
	mux.Handle("/", s.Clients(api.Handler(b, cfg)))
	return api.Guard(mux, cfg)
}

// run serves and leads until ctx ends.
func (m *master) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var leading sync.WaitGroup
	leading.Go(func() { m.control.Run(ctx) })
	// Requests are answered while this master resigns: another master leads, or
	// will.
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		served <- serve(serving, m.listener, m.server, doors(m.server, m.control, m.log), usualLimits, m.log)
	}()
	var err error
	select {
	case <-ctx.Done():
		leading.Wait()
		end()
		err = <-served
	case err = <-served:
		stop(err)
		leading.Wait()
		end()
	}
	if m.gossip != nil {
		err = errors.Join(err, m.gossip.Stop())
	}
	return err
}
