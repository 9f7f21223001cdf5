package remote

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// DefaultMaster is the default address of a master.
const DefaultMaster = "http://" + client.DefaultAddress

// User is on whose behalf a cluster is used.
type User struct {
	// Program is the command that lists the user's contexts, for texts of errors.
	Program string
	// ConfigDir holds the user's contexts. "": windrow in os.UserConfigDir.
	ConfigDir string
	// Getenv reads the environment. Nil: os.Getenv.
	Getenv func(name string) string
	// Stores configures the roots that are opened, to find a master.
	Stores store.Options
	// Log receives warnings, such as that no master answers. Nil: they are discarded.
	Log *slog.Logger
}

func (u *User) env(name string) string {
	if u.Getenv != nil {
		return u.Getenv(name)
	}
	return os.Getenv(name)
}

// Target is a cluster, and the credentials for it.
type Target struct {
	Master string `json:"master,omitempty"` // URLs, with commas between them
	Root   string `json:"root,omitempty"`
	Token  string `json:"tokenFile,omitempty"`
	CA     string `json:"caFile,omitempty"`
	Cert   string `json:"certFile,omitempty"`
	Key    string `json:"keyFile,omitempty"`

	Assumed bool `json:"-"` // nothing named the cluster
}

// FindTarget combines what the caller names, the environment and the contexts, in this
// order of precedence. name is of a context; "" chooses as the user does. A master and
// a root both say where a cluster is: only the first of them in that order counts.
func (u *User) FindTarget(given Target, name string) (Target, error) {
	env := Target{Master: u.env("WINDROW_MASTER"), Root: u.env("WINDROW_ROOT"), Token: u.env("WINDROW_TOKEN_FILE")}
	var saved Target
	name = orElse(name, u.env("WINDROW_CONTEXT"))
	contexts, err := u.ReadContexts()
	if err != nil {
		return Target{}, err
	}
	if name != "" || contexts.Current != "" {
		if saved, err = contexts.Get(orElse(name, contexts.Current), u.Program); err != nil {
			return Target{}, err
		}
	}
	t := Target{Token: orElse(given.Token, env.Token, saved.Token), CA: orElse(given.CA, saved.CA),
		Cert: orElse(given.Cert, saved.Cert), Key: orElse(given.Key, saved.Key)}
	for _, where := range []Target{given, env, saved, {Master: DefaultMaster, Assumed: true}} {
		if where.Master != "" || where.Root != "" {
			t.Master, t.Root, t.Assumed = where.Master, where.Root, where.Assumed
			break
		}
	}
	return t, nil
}

// Connect returns a client of a cluster. It waits for the first answer of a master as
// long as first says, and then for each as long as later says; see client.Config.
func (u *User) Connect(t *Target, first, later time.Duration) (*client.Client, error) {
	transport, err := auth.Config{TokenFile: t.Token, CAFile: t.CA, CertFile: t.Cert, KeyFile: t.Key}.Transport()
	if err != nil {
		return nil, client.Errorf(plan.Invalid, "%v", err)
	}
	cfg := client.Config{Transport: transport, FirstPatience: first, Patience: later, Log: u.Log}
	if t.Master != "" && t.Root == "" {
		cfg.URLs = strings.Split(t.Master, ",")
	} else {
		cfg.Find = func(ctx context.Context) (string, error) { return FindLeader(ctx, t.Root, u.Stores) }
	}
	return client.New(cfg)
}

// Check refuses addresses and files with which nothing could work.
func (t *Target) Check() error {
	if t.Master != "" {
		if _, err := client.New(client.Config{URLs: strings.Split(t.Master, ",")}); err != nil {
			return err
		}
	}
	if scheme, rest, ok := strings.Cut(t.Root, "://"); t.Root != "" && (!ok || scheme == "" || rest == "") {
		return errors.New("the root is not a URL such as s3://bucket/prefix, nor a path")
	}
	for _, file := range []string{t.CA, t.Cert, t.Key} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	_, err := auth.Config{TokenFile: t.Token}.Transport()
	return err
}

// FindLeader returns the URL of the leader, which it reads from the cluster's root.
func FindLeader(ctx context.Context, url string, stores store.Options) (string, error) {
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
