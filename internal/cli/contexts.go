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

	"github.com/urfave/cli/v2"

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
	command := &cli.Command{Name: "context", Usage: "manage names of clusters", ArgsUsage: "ls|use|set"}
	command.Subcommands = []*cli.Command{
		listing(p, "ls", "list the contexts; * marks the current one",
			func() any { all, _ := p.readContexts(); return all }, func() error { return listContexts(p) }),
		{Name: "use", Usage: "make a context the current one, for commands that name no cluster", ArgsUsage: "NAME",
			Action: func(c *cli.Context) error { return useContext(c, p) }},
		{Name: "set", Usage: "create or change a context", ArgsUsage: "NAME", Flags: clusterFlags()[:6],
			Action: func(c *cli.Context) error { return setContext(c, p) }},
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return invalidf(c, "no subcommand named; there are ls, use and set")
		}
		return unknown(c, "command", c.Args().First(), command.Subcommands)
	}
	return command
}

func listContexts(p *Program) error {
	all, err := p.readContexts()
	if err != nil {
		return err
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

// setContext sets the fields of a context that the flags give. The first context
// becomes the current one.
func setContext(c *cli.Context, p *Program) error {
	if err := countArgs(c, "NAME", 1, 1); err != nil {
		return err
	}
	name := c.Args().First()
	if !contextForm.MatchString(name) {
		return invalidf(c, "%q is not a valid name of a context: use letters and digits, and after the first also . _ -", name)
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
	all.Contexts[name] = t
	if all.Current == "" {
		all.Current = name
	}
	return p.writeContexts(all)
}
