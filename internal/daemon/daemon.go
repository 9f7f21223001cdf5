// Package daemon has the commands that are processes of a cluster: master, worker
// and dev. Command windrow has them beside those of package cli. Programs with
// their own jobs do without them, because masters and workers import much code.
//
// The processes end by SIGTERM, SIGHUP or an interrupt: a worker drains, a master resigns.
// The second signal ends them at once. Nothing is lost when a process ends in any
// other way.
package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/oklog/ulid/v2"
	urfave "github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/meter"
)

// Program configures the commands.
type Program struct {
	Stdout, Stderr io.Writer
	// Stores configures the roots that are opened.
	Stores store.Options
	// Haste is that of masters, see control.Config.
	Haste int
}

// Commands returns the commands master, worker and dev.
func Commands(p Program) []*urfave.Command {
	return []*urfave.Command{masterCommand(&p), workerCommand(&p), devCommand(&p)}
}

const (
	placeFlags  = "addresses"
	accessFlags = "access"
)

// rootFlags say where the cluster keeps its state, and what else it can access.
func rootFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "root", EnvVars: []string{"WINDROW_ROOT"}, Usage: "root `URL` of the cluster: a directory or a prefix of a bucket, for this cluster only", Category: placeFlags},
		&urfave.StringSliceFlag{Name: "allow", EnvVars: []string{"WINDROW_ALLOW"}, Usage: "allow jobs to read and write below `URL`; can be repeated, and have parameters such as endpoint=", Category: accessFlags},
		&urfave.StringFlag{Name: "log", Value: "info", Usage: "log from `LEVEL` up: debug, info, warn or error"},
	}
}

// secretFlags say how processes authenticate each other.
func secretFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "token-file", EnvVars: []string{"WINDROW_TOKEN_FILE"}, Usage: "`FILE` that holds the cluster's token, at least 32 bytes", Category: accessFlags},
		&urfave.StringFlag{Name: "worker-token-file", Usage: "`FILE` that holds a token for workers; the other token is then only for clients", Category: accessFlags},
		&urfave.StringFlag{Name: "cert-file", Usage: "`FILE` of this process's certificate, in PEM", Category: accessFlags},
		&urfave.StringFlag{Name: "key-file", Usage: "`FILE` of the key of that certificate", Category: accessFlags},
		&urfave.StringFlag{Name: "ca-file", Usage: "`FILE` of the authorities, in PEM, that sign others' certificates", Category: accessFlags},
	}
}

// gossipFlags say how processes find each other.
func gossipFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "gossip", Usage: "`HOST:PORT` for gossip, by UDP and TCP; \"off\" turns it off", DefaultText: "127.0.0.1:0 on loopback, else off", Category: placeFlags},
		&urfave.StringSliceFlag{Name: "join", Usage: "`HOST:PORT` of another process's gossip, to begin with; can be repeated", DefaultText: "the leader's", Category: placeFlags},
		&urfave.StringFlag{Name: "gossip-key-file", Usage: "`FILE` with keys of gossip, in base64, one a line: all decrypt, the first encrypts", Category: accessFlags},
	}
}

func secrets(c *urfave.Context) auth.Config {
	return auth.Config{TokenFile: c.String("token-file"), WorkerTokenFile: c.String("worker-token-file"),
		CertFile: c.String("cert-file"), KeyFile: c.String("key-file"), CAFile: c.String("ca-file")}
}

// process is the common part of a master and a worker.
type process struct {
	*Program
	id    string
	host  string
	log   *slog.Logger
	root  *store.Root
	roots *allow.List
}

// newProcess opens the root of a process. Jobs cannot use the root itself, unless
// the operator allows it.
func newProcess(c *urfave.Context, p *Program, more ...string) (*process, error) {
	url := c.String("root")
	if url == "" {
		return nil, cli.Invalidf(c, "no root: give the cluster's root with --root URL")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log"))); err != nil {
		return nil, cli.Invalidf(c, "--log %q is not one of debug, info, warn and error", c.String("log"))
	}
	if err := keepPrivate(); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding the name of this host: %w", err)
	}
	s := &process{Program: p, id: strings.ToLower(ulid.Make().String()), host: host}
	s.log = slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: level}))
	stores := p.Stores
	stores.Log, stores.CreateDir = s.log, true
	stores.Wrap = func(d driver.Driver) driver.Driver {
		if p.Stores.Wrap != nil {
			d = p.Stores.Wrap(d)
		}
		return meter.Wrap(d) // counts the requests of each job
	}
	if s.root, err = store.Open(c.Context, url, stores); err != nil {
		return nil, err
	}
	stores.CreateDir = false
	urls := append(c.StringSlice("allow"), more...)
	if s.roots, err = allow.New(urls, stores); err != nil {
		return nil, errors.Join(err, s.root.Close())
	}
	return s, nil
}

func (s *process) close() error { return errors.Join(s.roots.Close(), s.root.Close()) }

// cluster returns a name of the cluster that reveals no secret. It keeps processes
// of other clusters apart.
func (s *process) cluster() string {
	sum := sha256.Sum256([]byte(s.root.Name("")))
	return "windrow-" + hex.EncodeToString(sum[:8])
}

// signals returns a context that ends with the first signal. The second signal ends
// the process.
func signals(ctx context.Context, logger *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, cli.Interrupts()...)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-caught:
			logger.Info("ending; signal again to end at once", "signal", s)
			cancel(errSignal)
		case <-done:
			return
		}
		select {
		case <-caught:
			os.Exit(interrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(caught)
		close(done)
		cancel(nil)
	}
}

var errSignal = errors.New("a signal asked the process to end")

// interrupted is the exit status after a second signal.
const interrupted = 130

// buildVersion names this build. It distinguishes workers whose built-in jobs
// differ.
func buildVersion() string { return cli.Build() }

// limitMemory lets the garbage collector work harder before this process takes more
// than its own share of the memory.
func limitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}
