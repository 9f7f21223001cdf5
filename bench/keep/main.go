// Command keep puts figures that another program prints into a document. It
// reads them from standard input, and writes them below a line with date,
// commit and machine, between the document's lines "<!-- NAME: measured -->"
// and "<!-- NAME: end -->". It prints them too.
//
//	go test -bench Step ./master/scheduler | grep ^Benchmark | go run ./bench/keep docs/benchmarks.md control
//
// Input without a line is an error, and does not change the document.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/windrow-mr/windrow/bench/measure"
)

var errUsage = errors.New("usage: keep DOCUMENT NAME")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "keep:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2) //nolint:gocritic // there is nothing left to undo
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string, from io.Reader, to io.Writer) error {
	if len(args) != 2 {
		return errUsage
	}
	figures, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(figures)) == 0 {
		return fmt.Errorf("there is nothing to put into %s: the program before this one printed no figures", args[0])
	}
	var text strings.Builder
	measure.WriteHeader(&text, args[1], measure.DescribeMachine(ctx), measure.Place{})
	for line := range bytes.Lines(figures) {
		fmt.Fprintf(&text, "    %s\n", bytes.TrimSpace(line))
	}
	text.WriteString("\n")
	fmt.Fprint(to, text.String())
	return measure.ReplaceBlock(args[0], args[1], text.String())
}
