package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/internal/committed"
)

// CatCommand prints committed output.
func CatCommand(p *Program) *cli.Command {
	return &cli.Command{Name: "cat", Usage: "print a committed output, decompressed, in order of its parts", ArgsUsage: "URL…",
		Description: "It reads the parts that the output's log lists as committed. When the output is replaced\n" +
			"meanwhile, it prints only the old or only the new output, or fails.",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return invalidf(c, "no output named")
			}
			for _, url := range c.Args().Slice() {
				if err := committed.Copy(c.Context, p.Data(), url, p.Stores); err != nil {
					return err
				}
			}
			return nil
		}}
}
