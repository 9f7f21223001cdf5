// Package look has the commands that show data to people: head, cat, count, schema and
// diff, over outputs and inputs of text formats, Parquet, Avro and Arrow.
//
// They read what a job would read: of an output the committed parts, of a directory or a
// pattern the objects that it names, decompressed. Each object is one stream of rows.
// Memory does not depend on the size of the data. Errors name the object.
//
// Only the program windrow has these commands: their readers of formats would make every
// job's program larger.
package look

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	wcli "github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/committed"
)

// Commands are the commands of a program.
func Commands() []func(p *wcli.Program) *cli.Command {
	return []func(p *wcli.Program) *cli.Command{headCommand, catCommand, countCommand, schemaCommand, diffCommand}
}

func flags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringFlag{Name: "format", Usage: "read objects as `FORMAT`: " + strings.Join(formatNames(), ", ") + " (default: by name or first bytes)"},
		&cli.BoolFlag{Name: "header", Usage: "the first line of a TSV object has the names of its columns"},
		&cli.BoolFlag{Name: "no-header", Usage: "the first line of a CSV object is a record"},
	)
}

func printFlag(value, usage string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: value, Usage: usage + ": `FORMAT`"}
}

// opener reads the flags.
func opener(p *wcli.Program, c *cli.Context) (*data, error) {
	d := &data{stores: p.Stores, format: c.String("format"), header: c.Bool("header"), noHeader: c.Bool("no-header"), staged: c.Bool("staged")}
	if d.format != "" && !slices.Contains(formatNames(), d.format) {
		return nil, wcli.Invalidf(c, "unknown format %q: there are %s", d.format, strings.Join(formatNames(), ", "))
	}
	if c.NArg() == 0 {
		return nil, wcli.Invalidf(c, "no output or input named")
	}
	return d, nil
}

func headCommand(p *wcli.Program) *cli.Command {
	return &cli.Command{Name: "head", Usage: "show the first records of an output or an input", ArgsUsage: "URL…",
		Description: "It shows records of CSV, TSV, JSON Lines, Parquet, Avro, Arrow and lines of text as a table, as JSON or as CSV.",
		Flags: flags(&cli.IntFlag{Name: "records", Aliases: []string{"n"}, Value: 10, Usage: "show `N` records"}, stagedFlag(),
			printFlag("table", "print table, json or csv")),
		Action: func(c *cli.Context) error {
			n := c.Int("records")
			if n < 0 {
				return wcli.Invalidf(c, "-n %d is negative", n)
			}
			return show(p, c, n)
		}}
}

func catCommand(p *wcli.Program) *cli.Command {
	plain := wcli.CatCommand(p)
	plain.Usage = "print an output or an input, decompressed, in order of its parts"
	plain.Description += "\nWith -o it prints the records of any format, of inputs too."
	plain.Flags = flags(stagedFlag(), printFlag("bytes", "print bytes as they are, or the records as table, json or csv"))
	plain.Action = func(c *cli.Context) error {
		switch {
		case c.String("output") != "bytes":
			return show(p, c, -1)
		case c.Bool("staged"):
			return copyStaged(p, c)
		}
		d, err := opener(p, c)
		if err != nil {
			return err
		}
		defer d.close()
		for _, url := range c.Args().Slice() {
			_, is, err := committed.Records(c.Context, url, p.Stores)
			switch {
			case err != nil:
			case is:
				err = committed.Copy(c.Context, p.Data(), url, p.Stores)
			default:
				err = d.copy(c.Context, p.Data(), url)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return plain
}

// stagedFlag is the flag of commands that read outputs.
func stagedFlag() cli.Flag {
	return &cli.BoolFlag{Name: "staged", Usage: "read outputs as they would be if what is staged there were published"}
}

// copyStaged writes the bytes of outputs as they would be.
func copyStaged(p *wcli.Program, c *cli.Context) error {
	for _, url := range c.Args().Slice() {
		if err := committed.CopyStaged(c.Context, p.Data(), url, p.Stores); err != nil {
			return err
		}
	}
	return nil
}

// errEnough ends reading.
var errEnough = errors.New("enough")

// show prints n records, or all if n is negative.
func show(p *wcli.Program, c *cli.Context, n int) error {
	d, err := opener(p, c)
	if err != nil {
		return err
	}
	defer d.close()
	out, err := newPrinter(c.String("output"), p.Data())
	if err != nil {
		return wcli.Invalidf(c, "%v", err)
	}
	err = d.each(c.Context, c.Args().Slice(), func(r Row) error {
		if n == 0 {
			return errEnough
		}
		n--
		return out.print(r)
	})
	if err != nil && !errors.Is(err, errEnough) {
		_ = out.end()
		return err
	}
	return out.end()
}

func countCommand(p *wcli.Program) *cli.Command {
	return &cli.Command{Name: "count", Usage: "count the records of outputs or inputs", ArgsUsage: "URL…",
		Description: "The records of an output are counted by its manifest, and those of a Parquet file by its footer, without reading them.",
		Flags:       flags(),
		Action: func(c *cli.Context) error {
			d, err := opener(p, c)
			if err != nil {
				return err
			}
			defer d.close()
			var sum int64
			for _, url := range c.Args().Slice() {
				n, is, err := committed.Records(c.Context, url, p.Stores)
				if err != nil {
					return err
				}
				if !is {
					if n, err = d.count(c.Context, url); err != nil {
						return err
					}
				}
				sum += n
			}
			fmt.Fprintln(p.Stdout, sum)
			return nil
		}}
}

func schemaCommand(p *wcli.Program) *cli.Command {
	return &cli.Command{Name: "schema", Usage: "show the columns of an output or an input, and their types", ArgsUsage: "URL",
		Description: fmt.Sprintf("Parquet, Avro and Arrow objects say which they have. Of others it looks at the first %d records.", sampled),
		Flags:       flags(printFlag("table", "print table, json or csv")),
		Action: func(c *cli.Context) error {
			d, err := opener(p, c)
			if err != nil {
				return err
			}
			defer d.close()
			out, err := newPrinter(c.String("output"), p.Data())
			if err != nil {
				return wcli.Invalidf(c, "%v", err)
			}
			columns, err := d.schema(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			for _, column := range columns {
				if err := out.print(Row{{"column", column.Name}, {"type", column.Type}, {"null", column.Null}}); err != nil {
					return err
				}
			}
			return out.end()
		}}
}

func diffCommand(p *wcli.Program) *cli.Command {
	return &cli.Command{Name: "diff", Usage: "compare the records of two outputs or inputs, whatever their order", ArgsUsage: "A B",
		Description: "It prints some records that only one of them has, and exits with status 1 if there are any.\n" +
			"Records are equal if they have the same columns with the same values as text. So formats can differ.",
		Flags: flags(&cli.IntFlag{Name: "records", Aliases: []string{"n"}, Value: 10, Usage: "show at most `N` records of each"}),
		Action: func(c *cli.Context) error {
			d, err := opener(p, c)
			if err != nil {
				return err
			}
			defer d.close()
			if c.Int("records") < 0 {
				return wcli.Invalidf(c, "-n %d is negative", c.Int("records"))
			}
			if c.NArg() != 2 {
				return wcli.Invalidf(c, "diff compares two outputs or inputs, and %d are named", c.NArg())
			}
			return diff(c.Context, p.Data(), d, c.Args().Get(0), c.Args().Get(1), c.Int("records"))
		}}
}

// each passes on the records of URLs, in order of their objects.
func (d *data) each(ctx context.Context, urls []string, yield func(Row) error) error {
	objects, err := d.find(ctx, urls)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := d.read(ctx, o, yield); err != nil {
			return err
		}
	}
	return nil
}
