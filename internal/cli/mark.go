package cli

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// mark is in the file of every program that calls Main, and in no other: the linker
// leaves out what a program cannot reach. Only such a program knows the commands
// that ask for its jobs. Any other one could do anything when it gets them.
const mark = "\x1ewindrow: this program answers for its jobs\x1e"

// marked keeps the mark in the program's file.
var marked string //nolint:unused // Main writes it, and the file is what reads it

// checkMark returns an error unless a file is a program that calls Main.
func checkMark(path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	found, err := contains(f, []byte(mark))
	if err != nil {
		return err
	}
	if !found {
		return client.Errorf(plan.Invalid, "%s is not a program with jobs, and was not started: its function main must call windrow.Main", name)
	}
	return nil
}

// contains reports whether bytes are in a stream.
func contains(r io.Reader, what []byte) (bool, error) {
	buffer := make([]byte, 1<<20)
	kept := 0 // bytes before those that are read, where what may have begun
	for {
		n, err := io.ReadFull(r, buffer[kept:])
		if bytes.Contains(buffer[:kept+n], what) {
			return true, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buffer, buffer[len(buffer)-len(what)+1:])
	}
}
