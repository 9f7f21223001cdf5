package jobs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// A Pipeline is the graph that a constructor builds: inputs, functions, at most
// one shuffle, and one output. It keeps mistakes. They are reported together
// after the constructor returns and before any task runs.
type Pipeline struct {
	job    string
	params string // canonical JSON
	nodes  []*node
	errs   []error
	once   map[string][]byte
	named  []string          // names of Once values, in order of use
	given  bool              // once holds the values of the submission
	places map[string]string // of closures, by their symbols

	outline bool // only the inputs count: Once values are zero
}

// node is one operation. Its functions are in the closures of the typed value
// that refers to it. It has one role at most.
type node struct {
	id     int
	kind   string // "Read", "Map"…
	input  string // of a Read: name of the input
	detail string // its functions' symbols, or its format and options
	label  string // detail for people, with closures by their places
	types  string // of the result, with codecs
	from   []*node
	root   *node // the Read or shuffle that its records come from
	used   int   // by how many other nodes

	read    *readRole
	shuffle *shuffleRole
	sink    *sinkRole
}

// readRole adapts a Reader to the engine.
type readRole struct{ input pipeline.Input }

// shuffleRole is an operation that begins by shuffling its pairs.
type shuffleRole struct {
	shuffle pipeline.Shuffle
	// mapSide attaches everything that turns records of read into pairs.
	mapSide func(r *run, read *node)
}

// sinkRole is an output.
type sinkRole struct {
	output pipeline.Output
	attach func(r *run) error
}

func newPipeline(job string, once map[string][]byte, given bool) *Pipeline {
	p := &Pipeline{job: job, params: "{}", given: given, once: map[string][]byte{}}
	maps.Copy(p.once, once)
	return p
}

// add appends a node to the pipeline.
func (p *Pipeline) add(kind, detail, types string, from ...*node) *node {
	n := &node{id: len(p.nodes) + 1, kind: kind, detail: detail, label: p.label(detail), types: types, from: from}
	for _, f := range from {
		f.used++
		n.root = f.root
	}
	p.nodes = append(p.nodes, n)
	return n
}

// fail keeps an error of the pipeline.
func (p *Pipeline) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// stage names a node in error messages.
func (n *node) stage() string {
	switch {
	case n.kind == "Read" && n.input != "":
		return "Read of input " + n.input
	case n.label == "":
		return n.kind
	}
	return n.kind + " " + n.label
}

// check finds mistakes that only the whole graph shows.
func (p *Pipeline) check() {
	if len(p.errs) > 0 {
		return // errors that follow from these would only confuse
	}
	var sinks, shuffles int
	inputs := map[string]bool{}
	for _, n := range p.nodes {
		switch {
		case n.sink != nil:
			sinks++
		case n.used == 0:
			p.fail("nothing uses the result of %s: write it, or leave it out", n.stage())
		}
		if n.shuffle != nil {
			shuffles++
		}
		if n.read == nil {
			continue
		}
		if inputs[n.input] {
			if n.input == "" {
				p.fail("two inputs have no name: call Named on each Read, such as Read(p, r).Named(\"orders\")")
			} else {
				p.fail("two inputs are called %s", n.input)
			}
		}
		inputs[n.input] = true
	}
	switch {
	case sinks == 0:
		p.fail("the job has no output: end it with Write or WriteTSV")
	case sinks > 1:
		p.fail("the job has %d outputs, but this version can commit only one", sinks)
	}
	if shuffles > 1 {
		p.fail("the job shuffles %d times (Fold, Aggregate, Reduce, ReduceBy and Sort each do), but this version can run only one shuffle: write the first result and make a second job of the rest", shuffles)
	}
}

// problems returns all errors of the pipeline as one, nil if there are none.
func (p *Pipeline) problems() error {
	switch len(p.errs) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("job %s: %w", p.job, p.errs[0])
	}
	return fmt.Errorf("job %s has %d errors:\n%w", p.job, len(p.errs), errors.Join(p.errs...))
}

// text describes the pipeline. Two processes must agree on it to work on one
// job. It leaves out sizes and the inputs' listing.
func (p *Pipeline) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "windrow plan, codecs %d\njob %s %s\n", codec.Version, p.job, p.params)
	for _, name := range p.named {
		fmt.Fprintf(&b, "once %s: %d bytes, sha256 %x\n", name, len(p.once[name]), sha256.Sum256(p.once[name]))
	}
	for _, n := range p.nodes {
		fmt.Fprintf(&b, "%d %s", n.id, n.kind)
		if n.input != "" {
			fmt.Fprintf(&b, " %q", n.input)
		}
		for _, f := range n.from {
			fmt.Fprintf(&b, " of %d", f.id)
		}
		if n.detail != "" {
			fmt.Fprintf(&b, " by %s", n.detail)
		}
		if n.types != "" {
			fmt.Fprintf(&b, ": %s", n.types)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// compile turns a checked pipeline into the one that the engine runs.
func (p *Pipeline) compile() *pipeline.Pipeline {
	compiled := &pipeline.Pipeline{}
	var sink, shuffle *node
	for _, n := range p.nodes {
		if n.sink != nil {
			sink = n
		}
		if n.shuffle != nil {
			shuffle = n
		}
	}
	compiled.Output = sink.sink.output
	if shuffle != nil {
		s := shuffle.shuffle.shuffle
		s.Reduce = func(t *pipeline.ReduceTask) error {
			r := newRun(&t.Task)
			r.source, r.out = t.Source, t.Out
			if r.trial.Overwrite {
				r.source = &lentSource{Source: t.Source}
			}
			return r.execute(func() error { return sink.sink.attach(r) })
		}
		compiled.Shuffle = &s
	}
	for _, n := range p.nodes {
		if n.read == nil {
			continue
		}
		input := n.read.input
		input.Name = n.input
		if generate := input.Generate; generate != nil {
			input.Generate = named(generate, n.input)
		}
		input.Map = func(t *pipeline.MapTask) error {
			r := newRun(&t.Task)
			r.mapTask, r.out = t, t.Out
			if r.trial.Spill > 0 {
				t.TableBytes = 0
			}
			return r.execute(func() error {
				if shuffle == nil {
					return sink.sink.attach(r)
				}
				shuffle.shuffle.mapSide(r, n)
				return nil
			})
		}
		compiled.Inputs = append(compiled.Inputs, input)
	}
	return compiled
}

// maxOnce is the greatest size of a Once value in bytes: it is sent, with the
// pipeline, to every process.
const maxOnce = 1 << 20

// Once returns f's result as of submission, also where the constructor runs
// again. The result is sent with the pipeline (1 MiB at most). Use it for
// values that a constructor must not depend on otherwise, such as the time.
func Once[T any](p *Pipeline, name string, f func() (T, error)) T {
	var value T
	c, err := codec.ValueOf[T]()
	if err != nil {
		p.fail("Once %s: %w", name, err)
		return value
	}
	if slices.Contains(p.named, name) {
		p.fail("two Once values are called %s", name)
		return value
	}
	p.named = append(p.named, name)
	if p.outline {
		return value
	}
	if !p.given {
		if value, err = f(); err != nil {
			p.fail("Once %s: %w", name, err)
			return value
		}
		if p.once[name], err = c.Append(nil, &value); err != nil {
			p.fail("Once %s: %w", name, err)
			return value
		}
	}
	b, ok := p.once[name]
	switch {
	case !ok:
		p.fail("Once %s has no value of the submission: the constructor made another pipeline then", name)
		return value
	case len(b) > maxOnce:
		p.fail("Once %s has %d bytes, but %d at most are sent with a pipeline: make it an input", name, len(b), maxOnce)
		return value
	}
	// All runs of the constructor see the decoded value.
	var decoded T
	if err := c.Decoder()(b, &decoded); err != nil {
		p.fail("Once %s: %w", name, err)
	}
	return decoded
}

// symbol names a function of the pipeline, for its text and for errors.
func (p *Pipeline) symbol(kind string, f any) string {
	v := reflect.ValueOf(f)
	if v.IsNil() {
		p.fail("%s: its function is nil", kind)
		return "nil"
	}
	name := runtime.FuncForPC(v.Pointer()).Name()
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimSuffix(name, "-fm")
	if closureForm.MatchString(name) {
		if p.places == nil {
			p.places = map[string]string{}
		}
		p.places[name] = placeOf(v.Pointer())
	}
	return name
}

// closureForm matches the symbols that the compiler makes for functions without a
// name: main.count.func1, main.init.func2.1.
var closureForm = regexp.MustCompile(`\.func\d+(\.\d+)*(-range\d+)?$`)

// placeOf returns where the function is written whose code begins at entry: the file
// and the line of its first instruction. The last frame is the function itself;
// frames before it were inlined into it.
func placeOf(entry uintptr) string {
	frames := runtime.CallersFrames([]uintptr{entry + 1})
	for {
		f, more := frames.Next()
		if !more {
			return fmt.Sprintf("func at %s:%d", filepath.Base(f.File), f.Line)
		}
	}
}

// label returns the detail of a node for people: the name of a closure says
// nothing, its file and line do.
func (p *Pipeline) label(detail string) string {
	words := strings.Split(detail, " ")
	for i, word := range words {
		if place, ok := p.places[word]; ok {
			words[i] = place
		}
	}
	return strings.Join(words, " ")
}

// typeName names a type in pipeline texts.
func typeName[T any]() string { return reflect.TypeFor[T]().String() }

// layoutOf returns how pairs of these codecs are laid out.
func layoutOf[K, V any](key codec.Key[K], value codec.Value[V]) pairs.Layout {
	return pairs.Layout{Key: key.Width(), Value: value.Width()}
}
