// Package jobstest runs jobs in unit tests, on the real engine:
//
//	func TestWordCount(t *testing.T) {
//		jobstest.Run(t, WordCount, jobstest.Lines("to be or", "not to be"), jobstest.Strict()).
//			Want("to\t2", "be\t2", "or\t1", "not\t1")
//	}
//
// Input and output are in memory. However small the input is, it is divided
// among several map tasks, and the shuffle among several partitions, so that a
// job which is right on one task alone fails its test. (A compressed object
// cannot be divided, nor can a record.) Counts of tasks and sizes of splits are
// not part of the package's promise.
//
// A []byte that a function borrows is overwritten with the byte ff as soon as
// it is borrowed no more: the record of a mapper when the mapper returns, a
// value of a list when the next one is taken, the key of a reducer when it
// returns. What was kept of it without copying shows as ff in the output.
//
// Tests of jobs call the package, from their own goroutine; any number of tests
// may run at once. Run fails the test when the job fails, TryRun returns the
// error. Sizes are bytes.
package jobstest

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/store"
)

// An Option says what a job reads and how it is run.
type Option func(*trial) error

// Lines gives the job an object, called lines, with these lines, each ended by
// a line feed. It belongs to the input that has no name; for others, and for
// text that must be exact, there is File. Lines of several Lines options are
// put together.
func Lines(lines ...string) Option {
	return func(t *trial) error {
		const name = "lines"
		text := ""
		if len(lines) > 0 {
			text = strings.Join(lines, "\n") + "\n"
		}
		for i := range t.objects {
			if t.objects[i].input == "" && t.objects[i].key == name {
				t.objects[i].text += text
				return nil
			}
		}
		t.objects = append(t.objects, object{"", name, text})
		return nil
	}
}

// File gives the job an object that holds text, which may be any bytes. The
// input is the name that the job gave to what it reads by Named, "" if it gave
// none. An object whose name ends in .gz, .zst, .bz2 or .lz4 is taken for compressed.
// Objects of an input are read in the order of the options; a job sees one as
// mem://test/in/<input>/<object>.
func File(input, name, text string) Option {
	return func(t *trial) error {
		if store.IsPattern(name) {
			return fmt.Errorf("object name %q: the engine would take it for a pattern of names", name)
		}
		for _, o := range t.objects {
			if o.input == input && o.key == name {
				return fmt.Errorf("input %q has two objects called %s", input, name)
			}
		}
		t.objects = append(t.objects, object{input, name, text})
		return nil
	}
}

// Params sets the job's parameters. It takes a map[string]string of the texts
// that one would type after --param, which leaves out what keeps its default;
// or the struct of the parameters, as Define has it, which sets all of them,
// also to zero, but for nil pointers.
func Params(v any) Option {
	return func(t *trial) error {
		texts, ok := v.(map[string]string)
		if !ok {
			var err error
			if texts, err = jobs.ParamTexts(v); err != nil {
				return fmt.Errorf("params: %w; give a struct or a map[string]string", err)
			}
		}
		if t.params == nil {
			t.params = make(map[string]string)
		}
		maps.Copy(t.params, texts)
		return nil
	}
}

// Strict runs the job again, in several other ways, and fails the test when one
// of them fails or its output differs. The message names the way and shows the
// difference. Two outputs are the same when their parts put together are, or
// when they hold the same lines in any order; after a Sort the order counts.
//
// The ways are: one task for everything; many tasks, of a few bytes each; pairs
// spilled all the time and never combined in the mapper; the objects of every
// input in reverse order; the constructor run again for every task, as in
// processes of their own; and borrowed bytes left as they are. So it finds
//
//   - a fold or an accumulator whose result depends on how values are grouped,
//     or on their order, and a Combine that changes what Reduce makes of them;
//   - a reducer that depends on the order of its values;
//   - a mapper that depends on the records before the one at hand, on the task,
//     or on where an object was divided;
//   - a Partition that sends equal keys, or keys of one group, to different
//     partitions;
//   - functions that share a variable of the constructor, or one that was set
//     to something random there;
//   - a []byte that is kept after it was borrowed;
//   - a Reader that loses or repeats records where it divides objects.
//
// Each of these only if the input at hand lets it show. It does not find what
// is the same in all tasks of a process or hardly differs from one moment to the
// next: package-level variables, the environment, the time of day, which need
// tasks in several processes, nor strings made of borrowed bytes by package
// unsafe, nor bytes kept in fields of records that are structs. Races between
// tasks are found by go test -race, for which many tasks are run at once. The
// values of Once are made once for all ways.
//
// A job whose output is meant to depend on the division of the work, such as
// one that writes a heading into every part, cannot be strict.
func Strict() Option {
	return func(t *trial) error {
		t.strict = true
		return nil
	}
}

// Run runs the job and returns its result. It fails the test at once when the
// job fails, or is not Strict enough.
func Run(t testing.TB, job *jobs.Job, options ...Option) *Result {
	t.Helper()
	r, err := TryRun(t, job, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryRun is Run for jobs that ought to fail: it returns the error. That of a
// failed job is a *windrow.Error whose text names the record.
func TryRun(t testing.TB, job *jobs.Job, options ...Option) (*Result, error) {
	t.Helper()
	tr := &trial{job: job}
	for _, option := range options {
		if err := option(tr); err != nil {
			return nil, fmt.Errorf("jobstest: %w", err)
		}
	}
	return tr.run(t)
}
