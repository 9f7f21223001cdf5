// Package cli is the command line of every program that has jobs: windrow itself,
// and programs made with windrow.Main. Each file holds one verb.
//
// Data goes to standard output, everything else to standard error. Main returns the
// exit status and never exits. The program's main calls it once.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/windrow-mr/windrow/plan"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan/nearest"
	"github.com/windrow-mr/windrow/store"
)

// Program is the program whose command line Main runs.
type Program struct {
	Args   []string // begins with the program's name
	Jobs   []*jobs.Job
	Stdout io.Writer
	Stderr io.Writer
	// Stores configures the roots that are opened.
	Stores store.Options
	// Library says that Jobs are the built-in jobs, which every worker has: a
	// cluster does not need the program.
	Library bool
	// Process says that this process only runs the command line. Then Main sets its
	// time zone for the functions of jobs.
	Process bool
	// Daemons are commands of package daemon, which handle signals themselves.
	Daemons []*cli.Command
	// Commands make more commands. One replaces the command of its name.
	Commands []func(p *Program) *cli.Command
	// ConfigDir holds the user's contexts. "": windrow in os.UserConfigDir.
	ConfigDir string
	// Getenv reads the environment. Nil: os.Getenv.
	Getenv func(name string) string

	terminal io.Writer // Stderr, for lines that a terminal obeys, and for job processes
	assumed  bool      // no flag, variable or context names the cluster

	// answer answers questions. Nil: the user at the terminal does.
	answer func(question string) (answer string, asked bool)
}

// argumentError is a mistake in what the user typed.
type argumentError struct {
	text    string
	command string // whose --help explains more
}

// Error returns the mistake, and the command that explains more.
func (e *argumentError) Error() string {
	return fmt.Sprintf("%s\nRun '%s --help' for its arguments and flags.", e.text, e.command)
}

// FailureKind returns Invalid.
func (e *argumentError) FailureKind() plan.Kind { return plan.Invalid }

func invalidf(c *cli.Context, format string, args ...any) error {
	return &argumentError{fmt.Sprintf(format, args...), commandName(c)}
}

// commandName returns the command as it was typed: "windrow run wordcount".
func commandName(c *cli.Context) string {
	if c.Command != nil && c.Command.HelpName != "" {
		return c.Command.HelpName
	}
	return c.App.Name
}

// isDaemon reports whether a command handles signals itself.
func (p *Program) isDaemon(name string) bool {
	return slices.ContainsFunc(p.Daemons, func(c *cli.Command) bool { return c.Name == name })
}

// Invalidf returns the error for a mistake in what the user typed.
func Invalidf(c *cli.Context, format string, args ...any) error { return invalidf(c, format, args...) }

// ParseSize reads a number of bytes as users write it: "1.5GiB".
func ParseSize(text string) (int64, error) { return parseSize(text) }

// WriteJSON prints a value as an indented JSON document.
func WriteJSON(p *Program, v any) error { return writeJSON(p, v) }

// Unknown returns the error for a command that is none of those known.
func Unknown(c *cli.Context, name string, known []*cli.Command) error {
	return unknown(c, "command", name, known)
}

// Build names the build of this program.
func Build() string { return buildVersion().Version }

// Main runs the command line and returns the exit status.
func Main(ctx context.Context, p Program) int {
	remote.MarkAnswers()
	if p.Process && len(p.Args) > 1 && callsJobs(p.Args[1]) {
		universalTime()
	}
	p.terminal, p.Stderr = p.Stderr, &visible{to: p.Stderr}
	out := &printed{to: p.Stdout}
	p.Stdout = out
	if len(p.Args) < 2 || !attaches(p.Args[1]) && !p.isDaemon(p.Args[1]) {
		var stop func()
		ctx, stop = interruptible(ctx, &p)
		defer stop()
	}
	if len(p.Args) == 2 && p.Args[1] == "--version" {
		p.Args = []string{p.Args[0], "version"}
	}
	app := newApp(&p)
	var args []string
	err := checkText(&p, app.Name)
	if err == nil {
		args, err = helpArgs(app, &p, p.Args)
	}
	if err == nil {
		err = app.RunContext(ctx, flagsFirst(app, args))
	}
	if err == nil {
		err = out.failure()
	}
	if err == nil {
		return exitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(p.Stderr, "%s: %s\n", app.Name, strings.TrimRight(text, "\n"))
	}
	code := status(err)
	if code == exitNoMaster && p.assumed {
		fmt.Fprintf(p.Stderr, "No cluster was named: name one with --master or --root, WINDROW_MASTER or WINDROW_ROOT, or '%s context set'.\n", app.Name)
	}
	return code
}

// checkText refuses arguments of jobs that are not UTF-8. The library that parses flags,
// and the API, would take them for other names.
func checkText(p *Program, name string) error {
	if len(p.Args) < 2 || !slices.Contains([]string{"run", "plan", "submit"}, p.Args[1]) {
		return nil
	}
	for _, arg := range p.Args[2:] {
		if !utf8.ValidString(arg) {
			return &argumentError{fmt.Sprintf("the argument %q is not UTF-8: name the directory of the file, or a pattern that matches it", arg), name + " " + p.Args[1]}
		}
	}
	return nil
}

// interruptTime is the time that a command has to end after an interrupt.
const interruptTime = 1900 * time.Millisecond

// Interrupts returns the signals that ask a process to end. The end of its terminal is
// one of them, unless its user has seen to it, as by nohup.
func Interrupts() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// interruptible returns a context that ends with the first interrupt. A second
// interrupt, or interruptTime after the first, ends the process at once.
func interruptible(ctx context.Context, p *Program) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	running := len(p.Args) > 1 && p.Args[1] == "run"
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, Interrupts()...)
	if running {
		// A pipe that closes does not end run before run has removed what it
		// wrote.
		signal.Notify(signals, syscall.SIGPIPE)
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-done:
			return
		}
		if running {
			fmt.Fprintln(p.Stderr, "\ninterrupted: removing what was written; interrupt again to leave it as it is")
		}
		cancel()
		select {
		case <-signals:
		case <-time.After(interruptTime):
		case <-done:
			return
		}
		if running {
			fmt.Fprintln(p.Stderr, "stopped before everything was removed: the next run on the output says what is left; --on-exists replace recovers it")
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

func newApp(p *Program) *cli.App {
	app := cli.NewApp()
	app.Name = strings.TrimSuffix(filepath.Base(p.Args[0]), ".exe")
	app.Usage = "MapReduce batch jobs, written in Go, over object storage"
	app.Writer, app.ErrWriter = p.Stdout, p.Stderr
	app.HideVersion, app.HideHelpCommand = true, true
	app.Flags = []cli.Flag{cli.HelpFlag}
	app.DisableSliceFlagSeparator = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Commands = []*cli.Command{RunCommand(p), planCommand(p), jobsCommand(p), CatCommand(p),
		submitCommand(p), listCommand(p), getCommand(p), watchCommand(p), logsCommand(p), tasksCommand(p), countersCommand(p),
		cancelCommand(p), retryCommand(p), rerunCommand(p), replayCommand(p), contextCommand(p), completionCommand(p),
		versionCommand(p), helpCommand(), completeCommand(p), jobProcessCommand(p), describeCommand(p)}
	for _, more := range p.Commands {
		command := more(p)
		app.Commands = slices.DeleteFunc(app.Commands, func(c *cli.Command) bool { return c.Name == command.Name })
		app.Commands = append(app.Commands, command)
	}
	app.Commands = append(app.Commands, p.Daemons...)
	for _, c := range app.Commands {
		c.Category = categoryOf(c.Name)
	}
	app.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return cli.ShowAppHelp(c)
		}
		return unknown(c, "command", c.Args().First(), app.Commands)
	}
	app.OnUsageError = flagMistake
	forEach(app.Commands, func(c *cli.Command) {
		c.HideHelpCommand = true
		if c.OnUsageError == nil {
			c.OnUsageError = flagMistake
		}
	})
	app.Description = "Data goes to standard output, everything else to standard error.\n" + exitStatuses
	return app
}

// categoryOf returns the heading of the help that lists a command. Headings are in
// alphabetical order.
func categoryOf(command string) string {
	switch command {
	case "run", "plan", "jobs", "cat", "head", "count", "schema", "diff", "publish", "discard", "doctor", "schedule":
		return "in this process"
	case "submit", "ls", "get", "watch", "logs", "tasks", "counters", "cancel", "retry", "rerun", "replay":
		return "jobs on a cluster"
	case "master", "worker", "dev", "workers", "gc", "context":
		return "the cluster itself"
	default:
		return ""
	}
}

const exitStatuses = `Exit status: 0 done, 1 the job failed (diff: records differ), 2 invalid argument, 3 no master answers, 4 access denied, 5 not found,
6 conflict (the output exists or is another job's), 7 done, but records were left out (--strict), 8 the output is staged (--expect), 130 interrupted (a submitted job continues).`

func forEach(commands []*cli.Command, f func(*cli.Command)) {
	for _, c := range commands {
		f(c)
		forEach(c.Subcommands, f)
	}
}

// unknown returns the error for a command or job that does not exist.
func unknown(c *cli.Context, what, name string, known []*cli.Command) error {
	return invalidf(c, "%s", unknownText(what, name, known))
}

func unknownText(what, name string, known []*cli.Command) string {
	var names []string
	for _, k := range known {
		if !k.Hidden {
			names = append(names, k.Name)
		}
	}
	if near := nearest.Name(name, names); near != "" {
		return fmt.Sprintf("unknown %s %q; did you mean %q?", what, name, near)
	}
	return fmt.Sprintf("unknown %s %q; there are %s", what, name, strings.Join(names, ", "))
}

var undefinedFlag = regexp.MustCompile(`flag provided but not defined: -+(\S+)`)

// flagMistake returns a readable error for a mistake in a flag.
func flagMistake(c *cli.Context, err error, _ bool) error {
	m := undefinedFlag.FindStringSubmatch(err.Error())
	if m == nil {
		return invalidf(c, "%v", err)
	}
	var names []string
	flags := c.App.Flags
	if c.Command != nil {
		flags = append(flags, c.Command.Flags...)
	}
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	if near := nearest.Name(m[1], names); near != "" {
		return invalidf(c, "unknown flag %s; did you mean %s?", dashed(m[1]), dashed(near))
	}
	return invalidf(c, "unknown flag %s", dashed(m[1]))
}

// dashed returns a flag as users write it: "--out", "-o".
func dashed(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

// noMore refuses arguments beyond the first ones.
func noMore(c *cli.Context, from int) error {
	if c.NArg() > from {
		return invalidf(c, "unexpected argument %q", c.Args().Get(from))
	}
	return nil
}

// listing returns a command without arguments that prints something, as text or as
// JSON.
func listing(p *Program, name, usage string, document func() any, text func() error) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, Flags: []cli.Flag{outputFlag()}, Action: func(c *cli.Context) error {
		if err := noMore(c, 0); err != nil {
			return err
		}
		printJSON, err := asJSON(c)
		if err != nil {
			return err
		}
		if printJSON {
			return writeJSON(p, document())
		}
		return text()
	}}
}

// outputFlag is -o, the format of what goes to standard output.
//
//go:noinline
func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "print text or json: `FORMAT`"}
}

// asJSON reports whether -o json was given.
func asJSON(c *cli.Context) (bool, error) {
	switch f := c.String("output"); f {
	case "text":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, invalidf(c, "-o %q is neither text nor json (output data goes to --out)", f)
	}
}
