package cli

import (
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/plan"
)

// clusterFlags say which cluster a command is for.
//
//go:noinline
func clusterFlags() []cli.Flag {
	const category = "cluster"
	return []cli.Flag{
		&cli.StringFlag{Name: "master", Usage: "`URL` of a master, http://HOST:PORT; separate several with commas", DefaultText: "WINDROW_MASTER, or the context's, or " + remote.DefaultMaster, Category: category},
		&cli.StringFlag{Name: "root", Usage: "root `URL` of the cluster, to find its master", DefaultText: "WINDROW_ROOT, or the context's", Category: category},
		&cli.StringFlag{Name: "token-file", Usage: "`FILE` that holds the cluster's token", DefaultText: "WINDROW_TOKEN_FILE, or the context's", Category: category},
		&cli.StringFlag{Name: "ca-file", Usage: "`FILE` of the authorities, in PEM, that sign masters' certificates", DefaultText: "the context's, or the system's", Category: category},
		&cli.StringFlag{Name: "cert-file", Usage: "`FILE` of this client's certificate, in PEM", DefaultText: "the context's", Category: category},
		&cli.StringFlag{Name: "key-file", Usage: "`FILE` of the key of that certificate", DefaultText: "the context's", Category: category},
		&cli.StringFlag{Name: "context", Usage: "use the context `NAME` for what no flag or variable gives", DefaultText: "WINDROW_CONTEXT, or the current one", Category: category},
	}
}

// orElse returns the first text that is not empty.
//
//go:noinline
func orElse(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// These are the times that a command waits for a first answer of a master. A
// command that follows a job outlives a change of masters; another one gives up
// earlier.
const (
	lookPatience   = 10 * time.Second
	attachPatience = 30 * time.Second
)

// user returns the user of the command line.
//
//go:noinline
func (p *Program) user(c *cli.Context, log *slog.Logger) *remote.User {
	return &remote.User{Program: c.App.Name, ConfigDir: p.ConfigDir, Getenv: p.Getenv, Stores: p.Stores, Log: log}
}

// findTarget combines flags, environment and context, in this order of precedence.
func findTarget(c *cli.Context, p *Program) (remote.Target, error) {
	flags := flagTarget(c)
	if flags.Master != "" && flags.Root != "" {
		return flags, invalidf(c, "--master and --root both name the cluster: give one")
	}
	t, err := p.user(c, nil).FindTarget(flags, c.String("context"))
	return t, argumentIf(c, err)
}

func flagTarget(c *cli.Context) remote.Target {
	return remote.Target{Master: c.String("master"), Root: c.String("root"), Token: c.String("token-file"), CA: c.String("ca-file"),
		Cert: c.String("cert-file"), Key: c.String("key-file")}
}

// argumentIf returns an error of the kind Invalid as a mistake in what the user typed,
// and others as they are.
func argumentIf(c *cli.Context, err error) error {
	if err != nil && plan.KindOf(err) == plan.Invalid {
		return invalidf(c, "%v", err)
	}
	return err
}

// connect returns a client of the cluster that a command is for.
func connect(c *cli.Context, p *Program, first time.Duration) (*client.Client, error) {
	t, err := findTarget(c, p)
	if err != nil {
		return nil, err
	}
	p.assumed = t.Assumed
	cl, err := p.user(c, newLog(p.Stderr, c.App.Name, slog.LevelWarn)).Connect(&t, first, 0)
	return cl, argumentIf(c, err)
}

// clusterCommand returns a command that makes a request to a cluster, and prints
// the answer as text or as JSON. It takes between least and most arguments; most <
// 0 means any number.
func clusterCommand(p *Program, name, usage, args string, least, most int, flags []cli.Flag, ask func(*cli.Context, *client.Client, bool) error) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, ArgsUsage: args, Flags: append(append(flags, outputFlag()), clusterFlags()...),
		Action: func(c *cli.Context) error {
			printJSON, err := asJSON(c)
			if err != nil {
				return err
			}
			if err := countArgs(c, args, least, most); err != nil {
				return err
			}
			cl, err := connect(c, p, lookPatience)
			if err != nil {
				return err
			}
			return ask(c, cl, printJSON)
		}}
}

// countArgs refuses too few or too many arguments.
func countArgs(c *cli.Context, args string, least, most int) error {
	if c.NArg() < least {
		return invalidf(c, "missing argument: %s", args)
	}
	if most >= 0 {
		return noMore(c, most)
	}
	return nil
}
