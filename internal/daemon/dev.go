package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	urfave "github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/worker"
)

func devCommand(p *Program) *urfave.Command {
	flags := append(append(rootFlags(), secretFlags()...), workerFlags()...)
	return &urfave.Command{
		Name:      "dev",
		Usage:     "run a whole cluster in one process, to try things out",
		ArgsUsage: " ",
		Description: "It runs a master and a worker on loopback. Jobs can read and write all files of this machine that you can. The root\n" +
			"is kept between runs: jobs that were under way continue.",
		Flags: append(flags,
			&urfave.StringFlag{Name: "listen", Value: client.DefaultAddress, Usage: "`HOST:PORT` for clients; port 0 picks one", Category: placeFlags},
			&urfave.StringFlag{Name: "advertise", Hidden: true},
			&urfave.StringFlag{Name: "gossip", Hidden: true, Value: off},
			&urfave.DurationFlag{Name: "keep", Hidden: true},
		),
		Action: func(c *urfave.Context) error {
			if c.NArg() > 0 {
				return cli.Invalidf(c, "unexpected argument %q", c.Args().First())
			}
			if c.String("root") == "" {
				dir, err := os.UserCacheDir()
				if err != nil {
					return cli.Invalidf(c, "no --root, and no default one, which is in the user's cache directory: %v", err)
				}
				if err := c.Set("root", filepath.Join(dir, "windrow", "dev")); err != nil {
					return err
				}
			}
			s, err := newProcess(c, p, "file:///")
			if err != nil {
				return err
			}
			ctx, stop := signals(c.Context, s.log)
			defer stop()
			return errors.Join(s.runBoth(ctx, c), s.close())
		},
	}
}

// runBoth runs a master and a worker until ctx ends.
func (s *process) runBoth(ctx context.Context, c *urfave.Context) error {
	transport, err := secrets(c).Transport()
	if err != nil {
		return cli.Invalidf(c, "%v", err)
	}
	r, info, err := s.newRunner(c)
	if err != nil {
		return err
	}
	leading, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	m, err := s.newMaster(leading, c)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	fmt.Fprintf(s.Stderr, "windrow: try: windrow submit wordcount --input README.md --out /tmp/words --master %s\n", m.url)
	var serving sync.WaitGroup
	var served error
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	serving.Go(func() {
		served = m.run(leading)
		failed()
	})
	err = worker.Run(context.WithoutCancel(ctx), worker.Config{ID: s.id, Info: info, Runner: r, HTTP: transport, Drain: ctx.Done(),
		DrainTime: c.Duration("drain-time"), Log: s.log,
		Find: func(context.Context) (worker.Leader, error) { return worker.Leader{URL: m.url}, nil }})
	end()
	serving.Wait()
	return errors.Join(err, served)
}
