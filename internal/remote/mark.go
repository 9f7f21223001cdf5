package remote

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// The marks are in the files of programs that reach the functions that set them, and
// in no other: the linker leaves out what a program cannot reach.
const (
	// answersMark is in every program that calls windrow.Main. Only such a program
	// knows the commands that ask for its jobs. Any other one could do anything when
	// it gets them.
	answersMark = "\x1ewindrow: this program answers for its jobs\x1e"
	// worksMark is in every program that calls windrow.Init: it can be a job process.
	worksMark = "\x1ewindrow: this program can run tasks of its jobs\x1e"
)

// answers and works keep the marks in the program's file.
var answers, works string //nolint:unused // functions write them, and the file is what reads them

// MarkAnswers marks the program that calls it as one that answers for its jobs.
func MarkAnswers() { answers = answersMark }

// MarkWorks marks the program that calls it as one that can be a job process.
func MarkWorks() { works = worksMark }

// sought returns a mark to look for. The mark is put together when the program runs:
// a program that only looks for marks must not have them.
//
//go:noinline
func sought(what string) []byte {
	return []byte(strings.Join([]string{"\x1ewindrow: this program ", what, " its jobs\x1e"}, ""))
}

// CheckAnswers returns an error unless a file is a program that calls windrow.Main.
func CheckAnswers(path, name string) error {
	found, err := holdsAny(path, sought("answers for"))
	if err == nil && !found {
		err = client.Errorf(plan.Invalid, "%s is not a program with jobs, and was not started: its function main must call windrow.Main", name)
	}
	return err
}

// checkWorks returns an error unless a file is a program that workers can start as a
// job process.
func checkWorks(path, name string) error {
	found, err := holdsAny(path, sought("answers for"), sought("can run tasks of"))
	if err == nil && !found {
		err = client.Errorf(plan.Invalid, "%s is a program that workers cannot start as a job process: its function main must begin with windrow.Init, or call windrow.Main", name)
	}
	return err
}

// holdsAny reports whether one of some texts is in a file.
func holdsAny(path string, texts ...[]byte) (bool, error) {
	for _, text := range texts {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		found, err := contains(f, text)
		f.Close()
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
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
