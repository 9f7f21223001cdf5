// Package floor is what the floor programs share: they map their input, divide
// it among the processors and write their output. A floor program does one job
// with code written by hand for it and no framework; it shows what the machine
// can do. Each is a command below this folder; the benchmark driver builds and
// runs them.
//
// A program maps its whole input into memory, so that the mapped bytes count as
// its memory, and it dies if the file is cut short meanwhile. Errors name the
// file. Sizes are in bytes.
package floor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// Main runs a floor program: "NAME IN OUT" reads the file IN and makes the
// file OUT. It returns the exit code: 0, 1 for a failure, 2 for wrong use.
func Main(args []string, stderr io.Writer, job func(in []byte, out *os.File) error) int {
	return With(args, "IN OUT", stderr, func(args []string, out *os.File) error {
		in, err := Map(args[0])
		if err != nil {
			return err
		}
		if err := job(in, out); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return nil
	})
}

// With runs a floor program with other arguments, which usage names. The last of
// them is the file that the program makes; the job gets those before it.
func With(args []string, usage string, stderr io.Writer, job func(args []string, out *os.File) error) int {
	last := len(strings.Fields(usage))
	if len(args) != 1+last {
		fmt.Fprintln(stderr, "usage:", args[0], usage)
		return 2
	}
	if err := run(args[1:last], args[last], job); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		return 1
	}
	return 0
}

func run(args []string, out string, job func([]string, *os.File) error) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(job(args, f), f.Close())
}

// Map maps a file until the process ends.
func Map(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping stays
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, nil // cannot be mapped
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return data, nil
}

// Workers returns how many goroutines a program uses.
func Workers() int { return runtime.GOMAXPROCS(0) }

// Each calls f for 0 to n-1, all in parallel, waits for all and returns their
// errors.
func Each(n int, f func(k int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() { errs[k] = f(k) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Section is a piece of the input.
type Section struct {
	From int // offset in the input
	Data []byte
}

// Sections divides data into n pieces of about the same size. A piece ends
// after a byte for which ends is true, or with the data; it may be empty.
func Sections(data []byte, n int, ends func(byte) bool) []Section {
	sections := make([]Section, n)
	from := 0
	for k := range sections {
		to := max(from, len(data)*(k+1)/n)
		for to > 0 && to < len(data) && !ends(data[to-1]) {
			to++
		}
		sections[k] = Section{from, data[from:to]}
		from = to
	}
	return sections
}
