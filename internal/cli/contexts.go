package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/internal/remote"
)

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
	all, err := p.user(c, nil).ReadContexts()
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
	all, err := p.user(c, nil).ReadContexts()
	if err != nil {
		return err
	}
	name := c.Args().First()
	if _, err := all.Get(name, c.App.Name); err != nil {
		return argumentIf(c, err)
	}
	all.Current = name
	return p.user(c, nil).WriteContexts(all)
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
	all, err := p.user(c, nil).ReadContexts()
	if err != nil {
		return err
	}
	t := all.Contexts[name]
	if given.Master != "" || given.Root != "" {
		t.Master, t.Root = given.Master, given.Root
	}
	if given.Root != "" { // commands run in other directories
		if t.Root, err = remote.Absolute(given.Root); err != nil {
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
	if err := t.Check(); err != nil {
		return invalidf(c, "context %s: %v; nothing was saved", name, err)
	}
	all.Contexts[name] = t
	if err := p.user(c, nil).WriteContexts(all); err != nil {
		return err
	}
	if all.Current != name {
		fmt.Fprintf(p.Stderr, "context %s is saved: '%s context use %[1]s' makes it the current one\n", name, c.App.Name)
	}
	return nil
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
	all, err := p.user(c, nil).ReadContexts()
	if err != nil {
		return err
	}
	t, err := all.Get(old, c.App.Name)
	if err != nil {
		return argumentIf(c, err)
	}
	if _, taken := all.Contexts[name]; taken {
		return invalidf(c, "there is a context %q already: remove it first, or choose another name", name)
	}
	delete(all.Contexts, old)
	all.Contexts[name] = t
	if all.Current == old {
		all.Current = name
	}
	return p.user(c, nil).WriteContexts(all)
}

// removeContexts removes contexts: all that are named, or none.
func removeContexts(c *cli.Context, p *Program) error {
	if err := countArgs(c, "NAME…", 1, -1); err != nil {
		return err
	}
	all, err := p.user(c, nil).ReadContexts()
	if err != nil {
		return err
	}
	for _, name := range c.Args().Slice() {
		if _, err := all.Get(name, c.App.Name); err != nil {
			return argumentIf(c, err)
		}
	}
	for _, name := range c.Args().Slice() {
		delete(all.Contexts, name)
		if all.Current == name {
			all.Current = ""
			fmt.Fprintf(p.Stderr, "%s was the current context: there is none now\n", name)
		}
	}
	return p.user(c, nil).WriteContexts(all)
}
