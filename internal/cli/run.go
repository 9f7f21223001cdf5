package cli

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// RunCommand runs a job in this process. Every job is a subcommand, with its
// parameters as flags.
func RunCommand(p *Program) *cli.Command {
	run := &cli.Command{
		Name:      "run",
		Usage:     "run a job in this process",
		ArgsUsage: "JOB --input URL… --out URL [--param NAME=VALUE…]",
		Description: "A URL is file:///path or a plain path, s3://bucket/prefix, gs:// or azblob://. --input takes objects, directories and\n" +
			"patterns, and can be repeated. --out is a directory that holds only this output.",
		CustomHelpTemplate: jobsHelp(runFlags()),
	}
	for _, job := range p.Jobs {
		run.Subcommands = append(run.Subcommands, jobCommand(p, job))
	}
	jobFirst(run)
	return run
}

func jobCommand(p *Program, job *jobs.Job) *cli.Command {
	return &cli.Command{Name: job.Name(), Usage: orElse(job.Description(), "run the job "+job.Name()), Flags: withParams(runFlags(), job.Params()),
		Action: func(c *cli.Context) error { return runJob(c, p, job) }}
}

// withParams adds a flag for each parameter of a job.
func withParams(flags []cli.Flag, params []jobs.Param) []cli.Flag {
	all := flags
	for _, param := range params {
		if isFlag(flags, param.Name) {
			continue // by --param only
		}
		const category = "parameters of the job"
		usage := param.Help + "; `VALUE`: " + param.Type
		if param.Required {
			usage += " (required)"
		}
		var flag cli.Flag = &cli.StringFlag{Name: param.Name, Usage: usage, DefaultText: param.Default, Category: category}
		if param.Switch {
			flag = &cli.BoolFlag{Name: param.Name, Usage: param.Help, Value: param.Default == "true", Category: category}
		}
		all = append(all, flag)
	}
	return all
}

// auto is the value that lets the engine choose.
const auto = "auto"

// jobFlags say what a job reads and writes, in this process or on a cluster.
func jobFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "read `URL`: an object, a directory or a pattern; NAME=URL for a named input"},
		&cli.StringFlag{Name: "out", Usage: "write the output to the directory `URL`"},
		&cli.StringSliceFlag{Name: "param", Usage: "set a parameter of the job, `NAME=VALUE`"},
		&cli.StringSliceFlag{Name: "file", Usage: "ship a small local file with the job, `NAME=PATH`, which its functions read by the name; can be repeated"},
		&cli.StringFlag{Name: "on-exists", Value: "fail", Usage: "`MODE` when output already exists: fail, replace or append"},
		&cli.StringFlag{Name: "partitions", Value: auto, Usage: "`N` reduce tasks, which write a part each, or auto"},
		&cli.StringFlag{Name: "split-size", Value: auto, Usage: "input `SIZE` of a map task, or auto"},
		&cli.IntFlag{Name: "limit-objects", Usage: "read at most `N` objects of each input, to try a job out", DefaultText: "all"},
		&cli.StringFlag{Name: "sample", Usage: "read about this `SHARE` of the input, such as 1%, to try a job out", DefaultText: "all"},
		&cli.IntFlag{Name: "attempts", Value: plan.DefaultAttempts, Usage: "fail when a task has failed `N` times; an error about a record that occurs twice ends the job earlier"},
		&cli.StringFlag{Name: "bad-records", Value: "fail", Usage: "what becomes of records on which the job fails: `POLICY` fail, skip:N, skip:P%, quarantine, quarantine:N or quarantine:P%"},
		&cli.StringSliceFlag{Name: "expect", Usage: "publish the output only if `CONDITION` holds: records >= N, records(OUTPUT) = N..M, count(COUNTER) <= N, bad <= P%, change <= P%; can be repeated"},
		&cli.StringFlag{Name: "replay", Usage: "read only the records that `JOB` quarantined in the output, and append what the job makes of them, once"},
		&cli.StringFlag{Name: "compress", Value: "none", Usage: "compress text output by `CODEC`: none, gzip, zstd or lz4"},
		&cli.StringFlag{Name: "decompress", Value: auto, Usage: "`CODEC` of the input: auto (by its names, and by its first bytes if it is text), none, gzip, zstd, bzip2, lz4 or snappy"},
		&cli.StringFlag{Name: "max-ratio", Value: strconv.Itoa(compress.DefaultRatio), Usage: "fail when input decompresses to more than `N` times its size, checked after 64 MiB; none for no limit"},
		&cli.StringFlag{Name: "max-decompressed", Value: "none", Usage: "fail when a compressed object, or a task's section of it, decompresses to more than `SIZE`; none for no limit"},
	}
}

func runFlags() []cli.Flag {
	return slices.Concat(jobFlags(), []cli.Flag{
		&cli.IntFlag{Name: "slots", Usage: "run `N` tasks at once", DefaultText: "one for each processor, as memory allows"},
		&cli.StringFlag{Name: "memory", Value: "1GiB", Usage: "`SIZE` of the memory for all tasks, at least 64MiB for each slot"},
		&cli.StringFlag{Name: "root", Usage: "keep data between map and reduce below `URL`", DefaultText: "the output's _windrow/tmp"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print neither progress nor summary"},
		strictFlag(),
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "log what the engine does"},
		outputFlag(),
	}, chaosFlags())
}

func runJob(c *cli.Context, p *Program, job *jobs.Job) error {
	if err := noMore(c, 0); err != nil {
		return err
	}
	printJSON, err := asJSON(c)
	if err != nil {
		return err
	}
	o, err := runOptions(c, p, job, runFlags())
	if err != nil {
		return err
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		// The collector must work harder before the process outgrows what the
		// budget and the fixed parts need.
		debug.SetMemoryLimit(max(o.Memory, embedded.LeastPerSlot) + 64<<20)
	}
	progress := newProgress(p.terminal, job.Name(), c.Bool("quiet"))
	o.Progress = progress.show
	show := func(plan *embedded.Plan) {
		if !c.Bool("quiet") && (c.Bool("verbose") || cost(plan.Requests)) {
			fmt.Fprintf(p.Stderr, "%s: plan: %s\n", plan.Job, plannedRequests(plan))
		}
	}
	result, receipt, err := embedded.RunPlanned(c.Context, job, o, show)
	progress.clear()
	if err != nil {
		if o.Chaos != nil && !c.Bool("quiet") {
			fmt.Fprintf(p.Stderr, "chaos: the run met %s\n", chaosText(o.Chaos.Report()))
		}
		return err
	}
	if !c.Bool("quiet") {
		writeCard(p.Stderr, result, receipt, o.Chaos, c.Bool("verbose"))
	}
	if printJSON {
		if err := writeJSON(p, newReport(result, receipt, o.Chaos)); err != nil {
			return err
		}
	}
	if c.Bool("strict") {
		return strictly(result.Tally.Bad)
	}
	return nil
}

// runOptions returns the options that the flags of a run describe. own are all
// flags of the command except parameters of the job.
func runOptions(c *cli.Context, p *Program, job *jobs.Job, own []cli.Flag) (embedded.Options, error) {
	o, err := jobOptions(c, job.Name(), job.Params(), own)
	if err != nil {
		return o, err
	}
	o.Slots, o.Root, o.Stores = c.Int("slots"), c.String("root"), p.Stores
	if c.IsSet("slots") && o.Slots < 1 {
		return o, invalidf(c, "--slots %d: at least one task must run", o.Slots)
	}
	if o.Memory, err = parseSize(c.String("memory")); err != nil || o.Memory == 0 {
		return o, invalidf(c, "--memory %q is not a size such as 512MiB", c.String("memory"))
	}
	level := slog.LevelWarn
	switch {
	case c.Bool("verbose"):
		level = slog.LevelDebug
	case c.Bool("quiet"):
		level = slog.LevelError
	}
	o.Log = newLog(p.Stderr, c.App.Name, level)
	o.Chaos, err = chaos(c)
	return o, err
}

// jobOptions returns the options that say what a job reads and writes. own are all
// flags of the command except parameters of the job.
func jobOptions(c *cli.Context, job string, list []jobs.Param, own []cli.Flag) (embedded.Options, error) {
	o := embedded.Options{Input: c.StringSlice("input"), Output: c.String("out"), OnExists: c.String("on-exists"),
		Compress: c.String("compress"), Attempts: c.Int("attempts"), Expect: c.StringSlice("expect"), Replay: strings.ToUpper(c.String("replay"))}
	if o.Replay != "" && !c.IsSet("on-exists") {
		o.OnExists = string(output.Append)
	}
	if _, err := plan.ParseExpectations(o.Expect); err != nil {
		return o, invalidf(c, "--expect: %v", err)
	}
	var err error
	if o.BadRecords, err = badRecords(c); err != nil {
		return o, err
	}
	if o.Attempts < 1 || o.Attempts > plan.MostAttempts {
		return o, invalidf(c, "--attempts %d: it must be 1 to %d", o.Attempts, plan.MostAttempts)
	}
	if o.Params, err = params(c, list, own); err != nil {
		return o, err
	}
	if o.Files, err = files(c); err != nil {
		return o, err
	}
	if n := c.String("partitions"); n != auto {
		if o.Partitions, err = strconv.Atoi(n); err != nil || o.Partitions < 1 {
			return o, invalidf(c, "--partitions %q is neither auto nor a positive number", n)
		}
	}
	if s := c.String("split-size"); s != auto {
		if o.SplitSize, err = parseSize(s); err != nil || o.SplitSize == 0 {
			return o, invalidf(c, "--split-size %q is neither auto nor a size such as 64MiB", s)
		}
	}
	if o.Trial.Objects = c.Int("limit-objects"); o.Trial.Objects < 0 || c.IsSet("limit-objects") && o.Trial.Objects == 0 {
		return o, invalidf(c, "--limit-objects %d is not a positive number", o.Trial.Objects)
	}
	if s := c.String("sample"); s != "" {
		if o.Trial.Share, err = plan.ParseShare(s); err != nil {
			return o, invalidf(c, "--sample: %v", err)
		}
	}
	if err := decompression(c, &o); err != nil {
		return o, err
	}
	if len(o.Input) == 0 && o.Output == "" {
		return o, invalidf(c, "job %s needs --out, and --input unless it generates its input", job)
	}
	return o, nil
}

// decompression sets the options for reading compressed input.
func decompression(c *cli.Context, o *embedded.Options) (err error) {
	o.Decompress = c.String("decompress")
	const unlimited = "none"
	o.MaxRatio = -1
	if s := c.String("max-ratio"); s != unlimited {
		if o.MaxRatio, err = strconv.ParseInt(s, 10, 64); err != nil || o.MaxRatio < 1 {
			return invalidf(c, "--max-ratio %q is neither none nor a positive number", s)
		}
	}
	if s := c.String("max-decompressed"); s != unlimited {
		if o.MaxDecompressed, err = parseSize(s); err != nil || o.MaxDecompressed == 0 {
			return invalidf(c, "--max-decompressed %q is neither none nor a size such as 10GiB", s)
		}
	}
	return nil
}

// params returns the job's parameters, from --param and from their own flags.
func params(c *cli.Context, list []jobs.Param, own []cli.Flag) (map[string]string, error) {
	values := make(map[string]string)
	for _, text := range c.StringSlice("param") {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, invalidf(c, "--param %q is not of the form NAME=VALUE", text)
		}
		values[name] = value
	}
	for _, p := range list {
		if _, twice := values[p.Name]; c.IsSet(p.Name) && !isFlag(own, p.Name) {
			if twice {
				return nil, invalidf(c, "parameter %s is given twice, by --param and by --%s", p.Name, p.Name)
			}
			values[p.Name] = c.String(p.Name)
			if p.Switch {
				values[p.Name] = strconv.FormatBool(c.Bool(p.Name))
			}
		}
	}
	return values, nil
}

// files returns the paths of the files to ship, by their names.
func files(c *cli.Context) (map[string]string, error) {
	all := make(map[string]string)
	for _, text := range c.StringSlice("file") {
		name, path, ok := strings.Cut(text, "=")
		if !ok || name == "" || path == "" {
			return nil, invalidf(c, "--file %q is not of the form NAME=PATH", text)
		}
		if _, twice := all[name]; twice {
			return nil, invalidf(c, "--file: the name %s is given twice", name)
		}
		all[name] = path
	}
	return all, nil
}

// isFlag reports whether a name is one of a command's own flags.
func isFlag(own []cli.Flag, name string) bool {
	if slices.Contains(cli.HelpFlag.Names(), name) {
		return true
	}
	for _, f := range own {
		if slices.Contains(f.Names(), name) {
			return true
		}
	}
	return false
}

var sizeForm = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)(b?)$`)

// parseSize parses a size such as 512MiB, 1g or 4096. Units are powers of 1024,
// except those like MB, without an i, which are powers of 1000.
func parseSize(s string) (int64, error) {
	m := sizeForm.FindStringSubmatch(strings.ToLower(s))
	if m == nil || m[2] == "" && m[3] != "" {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, err
	}
	base := 1024.0
	if m[2] != "" && m[3] == "" && m[4] == "b" {
		base = 1000
	}
	for range strings.Index(" kmgt", m[2]) * len(m[2]) {
		n *= base
	}
	if n > 1<<60 {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return int64(n), nil
}

// writeJSON prints a value as an indented JSON document.
func writeJSON(p *Program, v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
