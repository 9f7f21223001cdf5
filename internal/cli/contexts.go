package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/plan/nearest"
)

// contexts are a user's names of clusters, in the form that is stored.
type contexts struct {
	Version  int               `json:"version"` // 1
	Current  string            `json:"current,omitempty"`
	Contexts map[string]target `json:"contexts"`
}

func (p *Program) contextFile() (string, error) {
	if p.ConfigDir != "" {
		return filepath.Join(p.ConfigDir, "config.json"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "windrow", "config.json"), nil
}

// readContexts returns the user's contexts. There are none without a file, or
// without a place for one.
func (p *Program) readContexts() (contexts, error) {
	all := contexts{Version: 1, Contexts: map[string]target{}}
	file, err := p.contextFile()
	if err != nil {
		return all, nil //nolint:nilerr // a process without a home has no contexts
	}
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return all, nil
	case err != nil:
		return all, fmt.Errorf("contexts: %w", err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return all, fmt.Errorf("contexts: %s is damaged: %w; repair it, or remove it and set the contexts again", file, err)
	}
	if all.Version != 1 {
		return all, fmt.Errorf("contexts: %s has version %d, but this program knows only version 1", file, all.Version)
	}
	if all.Contexts == nil {
		all.Contexts = map[string]target{}
	}
	return all, nil
}

func (p *Program) writeContexts(all contexts) error {
	file, err := p.contextFile()
	if err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "config-*.tmp")
	if err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	_, err = tmp.Write(append(b, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("contexts: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// get returns a context by its name.
func (all contexts) get(c *cli.Context, name string) (target, error) {
	t, ok := all.Contexts[name]
	if ok {
		return t, nil
	}
	names := slices.Sorted(maps.Keys(all.Contexts))
	if near := nearest.Name(name, names); near != "" {
		return t, invalidf(c, "there is no context %q; did you mean %q?", name, near)
	}
	return t, invalidf(c, "there is no context %q; '%s context ls' lists them", name, c.App.Name)
}

// contextCommand manages the names of clusters.
func contextCommand(p *Program) *cli.Command {
	command := &cli.Command{Name: "context", Usage: "manage names of clusters", ArgsUsage: "ls|use|set|rename|rm"}
	command.Subcommands = []*cli.Command{
		{Name: "ls", Usage: "list the contexts; * marks the current one", Flags: []cli.Flag{outputFlag()},
			Action: func(c *cli.Context) error { return listContexts(c, p) }},
		{Name: "use", Usage: "make a context the current one, for commands that name no cluster", ArgsUsage: "NAME",
			Action: func(c *cli.Context) error { return useContext(c, p) }},
		{Name: "set", Usage: "create or change a context", ArgsUsage: "NAME", Flags: clusterFlags()[:6],
			Action: func(c *cli.Context) error { return setContext(c, p) }},
		{Name: "rename", Usage: "give a context another name", ArgsUsage: "NAME NEW",
			Action: func(c *cli.Context) error { return renameContext(c, p) }},
		{Name: "rm", Usage: "remove contexts; their files stay", ArgsUsage: "NAME…",
			Action: func(c *cli.Context) error { return removeContexts(c, p) }},
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return invalidf(c, "no subcommand named; there are ls, use, set, rename and rm")
		}
		return unknown(c, "command", c.Args().First(), command.Subcommands)
	}
	return command
}

func listContexts(c *cli.Context, p *Program) error {
	if err := noMore(c, 0); err != nil {
		return err
	}
	printJSON, err := asJSON(c)
	if err != nil {
		return err
	}
	all, err := p.readContexts()
	if err != nil {
		return err
	}
	if printJSON {
		return writeJSON(p, all)
	}
	w := p.newTable()
	fmt.Fprintln(w, "\tCONTEXT\tCLUSTER\tTOKEN FILE")
	for _, name := range slices.Sorted(maps.Keys(all.Contexts)) {
		mark, t := "", all.Contexts[name]
		if name == all.Current {
			mark = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", mark, name, orElse(t.Master, t.Root), t.Token)
	}
	return w.Flush()
}

func useContext(c *cli.Context, p *Program) error {
	if err := countArgs(c, "NAME", 1, 1); err != nil {
		return err
	}
	all, err := p.readContexts()
	if err != nil {
		return err
	}
	name := c.Args().First()
	if _, err := all.get(c, name); err != nil {
		return err
	}
	all.Current = name
	return p.writeContexts(all)
}

var contextForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// checkContextName refuses a name that a shell, or a list, would make ambiguous.
func checkContextName(c *cli.Context, name string) error {
	if !contextForm.MatchString(name) {
		return invalidf(c, "%q is not a valid name of a context: use letters and digits, and after the first also . _ -", name)
	}
	return nil
}

// setContext sets the fields of a context that the flags give.
func setContext(c *cli.Context, p *Program) error {
	if err := countArgs(c, "NAME", 1, 1); err != nil {
		return err
	}
	name := c.Args().First()
	if err := checkContextName(c, name); err != nil {
		return err
	}
	given := flagTarget(c)
	if given.Master != "" && given.Root != "" {
		return invalidf(c, "--master and --root both name the cluster: give one")
	}
	all, err := p.readContexts()
	if err != nil {
		return err
	}
	t := all.Contexts[name]
	if given.Master != "" || given.Root != "" {
		t.Master, t.Root = given.Master, given.Root
	}
	if given.Root != "" { // commands run in other directories
		if t.Root, err = absolute(given.Root); err != nil {
			return err
		}
	}
	for _, file := range []struct {
		to    *string
		given string
	}{{&t.Token, given.Token}, {&t.CA, given.CA}, {&t.Cert, given.Cert}, {&t.Key, given.Key}} {
		if file.given == "" {
			continue
		}
		if *file.to, err = filepath.Abs(file.given); err != nil {
			return err
		}
	}
	if t.Master == "" && t.Root == "" {
		return invalidf(c, "no address of the cluster %s: give --master or --root", name)
	}
	if err := t.check(); err != nil {
		return invalidf(c, "context %s: %v; nothing was saved", name, err)
	}
	all.Contexts[name] = t
	if err := p.writeContexts(all); err != nil {
		return err
	}
	if all.Current != name {
		fmt.Fprintf(p.Stderr, "context %s is saved: '%s context use %[1]s' makes it the current one\n", name, c.App.Name)
	}
	return nil
}

// check refuses addresses and files with which no command could work.
func (t *target) check() error {
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

// renameContext gives a context another name. The current one stays current.
func renameContext(c *cli.Context, p *Program) error {
	if err := countArgs(c, "NAME NEW", 2, 2); err != nil {
		return err
	}
	old, name := c.Args().Get(0), c.Args().Get(1)
	if err := checkContextName(c, name); err != nil {
		return err
	}
	all, err := p.readContexts()
	if err != nil {
		return err
	}
	t, err := all.get(c, old)
	if err != nil {
		return err
	}
	if _, taken := all.Contexts[name]; taken {
		return invalidf(c, "there is a context %q already: remove it first, or choose another name", name)
	}
	delete(all.Contexts, old)
	all.Contexts[name] = t
	if all.Current == old {
		all.Current = name
	}
	return p.writeContexts(all)
}

// removeContexts removes contexts: all that are named, or none.
func removeContexts(c *cli.Context, p *Program) error {
	if err := countArgs(c, "NAME…", 1, -1); err != nil {
		return err
	}
	all, err := p.readContexts()
	if err != nil {
		return err
	}
	for _, name := range c.Args().Slice() {
		if _, err := all.get(c, name); err != nil {
			return err
		}
	}
	for _, name := range c.Args().Slice() {
		delete(all.Contexts, name)
		if all.Current == name {
			all.Current = ""
			fmt.Fprintf(p.Stderr, "%s was the current context: there is none now\n", name)
		}
	}
	return p.writeContexts(all)
}
