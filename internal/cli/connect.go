package cli

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
)

// defaultMaster is the default address of a master.
const defaultMaster = "http://" + client.DefaultAddress

// clusterFlags say which cluster a command is for.
func clusterFlags() []cli.Flag {
	const category = "cluster"
	return []cli.Flag{
		&cli.StringFlag{Name: "master", Usage: "`URL` of a master, http://HOST:PORT; separate several with commas", DefaultText: "WINDROW_MASTER, or the context's, or " + defaultMaster, Category: category},
		&cli.StringFlag{Name: "root", Usage: "root `URL` of the cluster, to find its master", DefaultText: "WINDROW_ROOT, or the context's", Category: category},
		&cli.StringFlag{Name: "token-file", Usage: "`FILE` that holds the cluster's token", DefaultText: "WINDROW_TOKEN_FILE, or the context's", Category: category},
		&cli.StringFlag{Name: "ca-file", Usage: "`FILE` of the authorities, in PEM, that sign masters' certificates", DefaultText: "the context's, or the system's", Category: category},
		&cli.StringFlag{Name: "cert-file", Usage: "`FILE` of this client's certificate, in PEM", DefaultText: "the context's", Category: category},
		&cli.StringFlag{Name: "key-file", Usage: "`FILE` of the key of that certificate", DefaultText: "the context's", Category: category},
		&cli.StringFlag{Name: "context", Usage: "use the context `NAME` for what no flag or variable gives", DefaultText: "WINDROW_CONTEXT, or the current one", Category: category},
	}
}

// target is a cluster, and the credentials for it.
type target struct {
	Master   string `json:"master,omitempty"`
	Root     string `json:"root,omitempty"`
	Token    string `json:"tokenFile,omitempty"`
	CA       string `json:"caFile,omitempty"`
	Cert     string `json:"certFile,omitempty"`
	Key      string `json:"keyFile,omitempty"`
	fallback bool   // no flag, variable or context names the cluster
}

// findTarget combines flags, environment and context, in this order of precedence.
// A master and a root both say where a cluster is: only the first of them in that
// order counts.
func findTarget(c *cli.Context, p *Program) (target, error) {
	flags := flagTarget(c)
	env := target{Master: p.env("WINDROW_MASTER"), Root: p.env("WINDROW_ROOT"), Token: p.env("WINDROW_TOKEN_FILE")}
	if flags.Master != "" && flags.Root != "" {
		return target{}, invalidf(c, "--master and --root both name the cluster: give one")
	}
	var saved target
	name := orElse(c.String("context"), p.env("WINDROW_CONTEXT"))
	contexts, err := p.readContexts()
	if err != nil {
		return target{}, err
	}
	if name != "" || contexts.Current != "" {
		if saved, err = contexts.get(c, orElse(name, contexts.Current)); err != nil {
			return target{}, err
		}
	}
	t := target{Token: orElse(flags.Token, env.Token, saved.Token), CA: orElse(flags.CA, saved.CA),
		Cert: orElse(flags.Cert, saved.Cert), Key: orElse(flags.Key, saved.Key)}
	for _, where := range []target{flags, env, saved, {Master: defaultMaster, fallback: true}} {
		if where.Master != "" || where.Root != "" {
			t.Master, t.Root, t.fallback = where.Master, where.Root, where.fallback
			break
		}
	}
	return t, nil
}

func flagTarget(c *cli.Context) target {
	return target{Master: c.String("master"), Root: c.String("root"), Token: c.String("token-file"), CA: c.String("ca-file"),
		Cert: c.String("cert-file"), Key: c.String("key-file")}
}

// orElse returns the first text that is not empty.
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

// connect returns a client of the cluster that a command is for.
func connect(c *cli.Context, p *Program, first time.Duration) (*client.Client, error) {
	t, err := findTarget(c, p)
	if err != nil {
		return nil, err
	}
	p.assumed = t.fallback
	transport, err := auth.Config{TokenFile: t.Token, CAFile: t.CA, CertFile: t.Cert, KeyFile: t.Key}.Transport()
	if err != nil {
		return nil, invalidf(c, "%v", err)
	}
	cfg := client.Config{Transport: transport, FirstPatience: first, Log: newLog(p.Stderr, c.App.Name, slog.LevelWarn)}
	if t.Master != "" && t.Root == "" {
		cfg.URLs = strings.Split(t.Master, ",")
	} else {
		cfg.Find = func(ctx context.Context) (string, error) { return findLeader(ctx, t.Root, p.Stores) }
	}
	cl, err := client.New(cfg)
	if err != nil {
		return nil, invalidf(c, "%v", err)
	}
	return cl, nil
}

// findLeader returns the URL of the leader, which it reads from the cluster's root.
func findLeader(ctx context.Context, url string, stores store.Options) (string, error) {
	root, err := store.Open(ctx, url, stores)
	if err != nil {
		return "", clientError(err)
	}
	defer root.Close()
	leader, err := journal.Current(ctx, root)
	switch {
	case err != nil:
		return "", clientError(err)
	case leader.Epoch == 0:
		return "", client.Errorf(plan.Unavailable, "no master has ever led a cluster at %s: start one with 'windrow master --root %[1]s'", root.Name(""))
	case leader.Master == "":
		return "", client.Errorf(plan.Unavailable, "the record of the leader of the cluster at %s was deleted or is damaged: the next leader writes its own within a minute", root.Name(""))
	case leader.URL == "":
		return "", client.Errorf(plan.Unavailable, "the master that leads the cluster at %s has no address", root.Name(""))
	}
	return leader.URL, nil
}

// clientError gives an error of a store the kind that it has for a client that
// looks for a master there.
func clientError(err error) error {
	switch kind := plan.KindOf(err); kind {
	case plan.Denied, plan.NotFound, plan.Invalid:
		return client.Errorf(kind, "%v", err)
	default:
		return err
	}
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
