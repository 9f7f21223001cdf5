package jobs

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"unicode"

	"github.com/windrow-mr/windrow/jobs/pipeline"
)

// A Job is a named constructor of pipelines. New and Define make one; the zero
// Job is invalid. A Job never changes, and goroutines may share it.
type Job struct {
	name      string
	text      string // its description
	params    []Param
	construct func(p *Pipeline, texts map[string]string) error
	err       error // why no pipeline can be made at all
}

// New returns a job that maps lines to pairs, folds the values of each key and
// writes "key TAB value" in order of keys, part by part.
func New[K, V any](name string, m func(ctx *Context, line []byte, emit Emit[K, V]) error, fold func(a, b V) V) *Job {
	return Define(name, struct{}{}, func(p *Pipeline, _ struct{}) error {
		Map(ReadLines(p), m).Fold(fold).WriteTSV()
		return nil
	})
}

// Define returns a job whose constructor is build. The exported fields of P, a
// struct, are the job's parameters. Flags set them; a parameter without a flag
// has its value in defaults. A field may have any type that
// encoding.TextUnmarshaler or JSON can fill. Its tags: help:"…" describes it,
// required:"true" makes it obligatory, name:"…" names it (else its own name in
// kebab-case).
//
// The constructor runs at submission and again in every process that runs
// tasks. So closures and parameters are made there, not sent. It must depend on
// its arguments alone; see Once.
func Define[P any](name string, defaults P, build func(p *Pipeline, params P) error) *Job {
	j := &Job{name: name}
	if j.err = checkName("job", name); j.err != nil {
		return j
	}
	set, err := paramsOf(reflect.ValueOf(&defaults).Elem())
	if err != nil {
		j.err = fmt.Errorf("job %s: %w", name, err)
		return j
	}
	j.params = set.list
	j.construct = func(p *Pipeline, texts map[string]string) error {
		values := defaults
		if !p.outline {
			canonical, err := set.fill(reflect.ValueOf(&values).Elem(), texts)
			if err != nil {
				return err
			}
			p.params = canonical
		}
		return build(p, values)
	}
	return j
}

// Name returns the job's name.
func (j *Job) Name() string { return j.name }

// Params returns the job's parameters in the order of the struct's fields.
func (j *Job) Params() []Param { return append([]Param(nil), j.params...) }

// Described returns the job with a description: a phrase in one line, such as
// "count how often each word occurs". Commands that list jobs show it.
func (j *Job) Described(text string) *Job {
	described := *j
	described.text = text
	if described.err == nil && (len(text) > maxDescription || strings.ContainsFunc(text, unicode.IsControl)) {
		described.err = fmt.Errorf("job %s: its description must be one line of at most %d bytes", j.name, maxDescription)
	}
	return &described
}

// maxDescription is the greatest size of a description in bytes.
const maxDescription = 200

// Description returns the text that Described set, "" for none.
func (j *Job) Description() string { return j.text }

// Inputs returns the names of the job's named inputs, in the order of their Reads.
// It runs the constructor with the defaults of the parameters, and gives Once
// values of zero. It returns nil when the job has no named inputs, or when its
// constructor needs other values.
func (j *Job) Inputs() []string {
	if j.err != nil {
		return nil
	}
	p := newPipeline(j.name, nil, false)
	p.outline = true
	if err := j.recovered(p, nil); err != nil {
		return nil
	}
	var names []string
	for _, n := range p.nodes {
		if n.read != nil && n.name != "" {
			names = append(names, n.name)
		}
	}
	return names
}

// Build makes the job's compiled pipeline. It is the engine's entry point; a
// program runs its jobs through package windrow instead.
//
// params are the texts of the parameters, by name. once is nil at submission. A
// process that builds the pipeline of a submitted job again passes the Once of
// the first one, and must get a pipeline of the same Text. The constructor runs
// twice, and Build fails when the two runs disagree.
func (j *Job) Build(params map[string]string, once map[string][]byte) (*pipeline.Pipeline, error) {
	if j.err != nil {
		return nil, j.err
	}
	first, text, err := j.run(params, once, once != nil)
	if err != nil {
		return nil, err
	}
	_, again, err := j.run(params, first.once, true)
	if err != nil {
		return nil, fmt.Errorf("constructor run a second time: %w", err)
	}
	if text != again {
		return nil, fmt.Errorf("job %s: its constructor made two different pipelines from the same parameters; it must not depend on map order, time, randomness or the environment (use jobs.Once for values that are decided once):\n%s",
			j.name, pipeline.Diff(text, again))
	}
	compiled, err := first.compile()
	if err != nil {
		return nil, err
	}
	compiled.Job = j.name
	compiled.Text = text
	compiled.Hash = sha256.Sum256([]byte(text))
	compiled.Once = first.once
	rebuilt(compiled, func() (*pipeline.Pipeline, error) {
		p, _, err := j.run(params, first.once, true)
		if err != nil {
			return nil, err
		}
		return p.compile()
	})
	return compiled, nil
}

// run calls the constructor once and checks the pipeline.
func (j *Job) run(params map[string]string, once map[string][]byte, given bool) (p *Pipeline, text string, err error) {
	p = newPipeline(j.name, once, given)
	if err := j.recovered(p, params); err != nil {
		return nil, "", err
	}
	p.check()
	if err := p.problems(); err != nil {
		return nil, "", err
	}
	return p, p.text(), nil
}

// recovered calls the constructor. An error of the constructor is kept in p; its
// panic is returned.
func (j *Job) recovered(p *Pipeline, params map[string]string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("job %s: its constructor panicked: %v\n%s", j.name, r, debug.Stack())
		}
	}()
	if err := j.construct(p, params); err != nil {
		p.fail("%w", err)
	}
	return nil
}

// checkName accepts lower-case words joined by hyphens: users type names in
// shells, and names become parts of object keys.
func checkName(what, name string) error {
	ok := name != "" && len(name) <= 100
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		ok = letter || c == '-' && i > 0 && i < len(name)-1
	}
	if !ok {
		return fmt.Errorf("%s name %q: want lower-case letters, digits and hyphens, such as word-count", what, name)
	}
	return nil
}
