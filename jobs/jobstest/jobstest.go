// Package jobstest runs jobs in unit tests, on the real engine:
//
//	func TestWordCount(t *testing.T) {
//		jobstest.Run(t, WordCount, jobstest.Lines("to be or", "not to be"), jobstest.Strict()).
//			Want("to\t2", "be\t2", "or\t1", "not\t1")
//	}
//
// Input and output are in memory. However small the input is, it is divided
// among several map tasks, and the shuffle among several partitions. So a job
// that is right only when one task does everything fails its test. (A
// compressed object cannot be divided, nor can a record.) The numbers of tasks
// and the sizes of splits may change between versions.
//
// A borrowed []byte is overwritten with the byte ff when the borrowing ends:
// the record of a mapper when the mapper returns, a value of a list when the
// reducer requests the next one, the key of a reducer when it returns. Bytes
// that were kept without a copy show as ff in the output.
//
// Tests of jobs call the package from their own goroutine. Any number of tests
// may run at the same time. Run fails the test when the job fails; TryRun
// returns the error. Sizes are bytes.
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
// a line feed. The object belongs to the input without a name. Use File for
// other inputs and for exact text. Several Lines options add up to one object.
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

// File gives the job an object that holds text, which may be any bytes. input
// is the name that the job gave to the input by Named, or "" for an input
// without a name. An object whose name ends in .gz, .zst, .bz2 or .lz4 counts
// as compressed. Objects of an input are read in the order of the options. A
// job sees an object as mem://test/in/<input>/<object>.
func File(input, name, text string) Option {
	return func(t *trial) error {
		if store.IsPattern(name) {
			return fmt.Errorf("object name %q: the engine would read it as a pattern of names", name)
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

// ShippedFile ships a file with the job, as --file does: Context.File returns the text by
// the name.
func ShippedFile(name, text string) Option {
	return func(t *trial) error {
		if _, twice := t.shipped[name]; twice {
			return fmt.Errorf("two files called %s are shipped", name)
		}
		if t.shipped == nil {
			t.shipped = make(map[string]string)
		}
		t.shipped[name] = text
		return nil
	}
}

// BadRecords sets the policy on records on which the job fails, as --bad-records does:
// "skip:1" or "quarantine". The default is "fail". See Result.BadRecords.
func BadRecords(policy string) Option {
	return func(t *trial) error {
		t.bad = policy
		return nil
	}
}

// Expect adds conditions on which the output is published, as --expect does: "records >= 2".
// A job that does not meet them fails the test.
func Expect(conditions ...string) Option {
	return func(t *trial) error {
		t.expect = append(t.expect, conditions...)
		return nil
	}
}

// Params sets the job's parameters. It takes a map[string]string, or the struct
// of the parameters as Define has it. A map holds the texts that follow
// --param, and leaves out parameters that keep their default. A struct sets all
// parameters, also to zero, except nil pointers.
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
// difference. Two outputs are the same when their concatenated parts are equal,
// or when they hold the same lines in any order. After a Sort the order
// matters.
//
// The ways are: one task for everything; many tasks, of a few bytes each; pairs
// spilled all the time and never combined in the mapper; the objects of every
// input in reverse order; the constructor run again for every task, as in
// separate processes; and borrowed bytes that are not overwritten. So it finds
//
//   - a fold or an accumulator whose result depends on how values are grouped,
//     or on their order, and a Combine that changes what Reduce makes of them;
//   - a reducer that depends on the order of its values;
//   - a mapper that depends on earlier records, on the task, or on where an object
//     was divided;
//   - a Partition that sends equal keys, or keys of one group, to different
//     partitions;
//   - functions that share a variable of the constructor, or a variable that the
//     constructor set to something random;
//   - a []byte that is kept after it was borrowed;
//   - a Reader that loses or repeats records where it divides objects.
//
// It finds each of these only if the input lets it show. It does not find
// errors that are the same in all tasks of a process or hardly differ from one
// moment to the next: package-level variables, the environment, the time of
// day. These need tasks in several processes. It also does not find strings
// made of borrowed bytes by package unsafe, or bytes kept in fields of records
// that are structs. go test -race finds races between tasks; for that, many
// tasks run at the same time. The values of Once are made once for all ways.
//
// A job whose output depends on the division of the work by design, such as one
// that writes a heading into every part, cannot be strict.
func Strict() Option {
	return func(t *trial) error {
		t.strict = true
		return nil
	}
}

// Run runs the job and returns its result. It fails the test at once when the
// job fails, or when Strict finds a difference.
func Run(t testing.TB, job *jobs.Job, options ...Option) *Result {
	t.Helper()
	r, err := TryRun(t, job, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TryRun is Run for jobs that should fail: it returns the error. The error of a
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
