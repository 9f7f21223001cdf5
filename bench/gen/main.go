// Command gen writes a benchmark's input to standard output, the same bytes
// for the same arguments.
//
//	gen words BYTES     text of 100,000 different words, as frequent as Zipf's law says
//	gen distinct BYTES  text of words that hardly ever repeat
//	gen stations ROWS   lines "name;-12.3" of 413 names
//	gen records ROWS    100-byte records for terasort
//	gen groups ROWS     CSV of the H2O db-benchmark's table G1
//	gen orders ROWS     CSV "number,product,pieces", one product for ten orders
//	gen products ROWS   CSV "product,cents"
//
// It is for running a program of the benchmark by hand; go run ./bench makes
// its inputs itself, with the same package.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/windrow-mr/windrow/bench/inputs"
)

var errUsage = errors.New("usage: gen words|distinct BYTES, or gen stations|records|groups|orders|products ROWS")

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "gen:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

func run(args []string, to io.Writer) error {
	if len(args) != 2 {
		return errUsage
	}
	count, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil || count < 0 {
		return fmt.Errorf("%q is no count\n%w", args[1], errUsage)
	}
	return inputs.Write(to, inputs.Kind(args[0]), count)
}
