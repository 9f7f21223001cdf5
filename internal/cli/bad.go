package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/plan"
)

func strictFlag() cli.Flag {
	return &cli.BoolFlag{Name: "strict", Usage: "exit with status 7 when the job succeeds and has left out records (see --bad-records)"}
}

// badRecords returns the policy on bad records; "" for that of jobs that say nothing.
func badRecords(c *cli.Context) (string, error) {
	text := c.String("bad-records")
	if _, err := plan.ParseBadRecords(text); err != nil {
		return "", invalidf(c, "--bad-records %v", err)
	}
	if text == "fail" {
		text = ""
	}
	return text, nil
}

// writeBad says how many records a job has left out, and where they are described.
func writeBad(line func(name, format string, args ...any), bad int64, output string, kept bool) {
	switch {
	case bad == 0:
	case kept:
		line("bad", "%s; see %s/%s", quarantined(bad), strings.TrimRight(output, "/"), plan.QuarantineDir)
	default:
		line("bad", "%s skipped", count(bad, "record"))
	}
}

func quarantined(bad int64) string { return count(bad, "record") + " quarantined" }

// leftOutError ends a command with --strict whose job has left out records.
type leftOutError struct{ text string }

// Error returns the text.
func (e *leftOutError) Error() string { return e.text }

// strictly returns an error if a job has left out records.
func strictly(bad int64) error {
	if bad == 0 {
		return nil
	}
	return &leftOutError{fmt.Sprintf("the job succeeded without %s on which it fails, and --strict is given", count(bad, "record"))}
}
