package jobs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// A Pipeline is the graph that a constructor builds: inputs, functions, shuffles and
// outputs. It keeps mistakes. They are reported together after the constructor returns
// and before any task runs.
type Pipeline struct {
	job    string
	params string // canonical JSON
	nodes  []*node
	errs   []error
	once   map[string][]byte
	named  []string          // names of Once values, in order of use
	given  bool              // once holds the values of the submission
	places map[string]string // of closures, by their symbols

	expected []string // texts of expectations

	loops []*loop
	round *round // whose step is building; nil outside of loops

	outline bool // only the inputs count: Once values are zero
}

// node is one operation. Its functions are in the closures of the typed value
// that refers to it. It has one role at most.
type node struct {
	id     int
	kind   string // "Read", "Map"…
	name   string // of an input, a stage or an output, as the job gives it
	detail string // its functions' symbols, or its format and options
	label  string // detail for people, with closures by their places
	types  string // of the result, with codecs
	from   []*node
	root   *node // the Read or shuffle that its records come from
	used   int   // by how many other nodes
	taken  int   // of pairs: how often something takes them

	read    *readRole
	shuffle *shuffleRole
	sink    *sinkRole
	loop    *loop  // whose result it is
	round   *round // to which it belongs; nil for none
	kept    *round // whose result it keeps
	side    bool   // the shuffle is a side input: no step of its own reads it
}

// readRole adapts a Reader to the engine.
type readRole struct{ input pipeline.Input }

// shuffleRole is an operation that begins by shuffling its pairs.
type shuffleRole struct {
	exchange pipeline.Exchange
	roots    []*node // that its pairs are made from
	// mapSide attaches everything that turns records of root into pairs.
	mapSide func(r *run, root *node)
}

// sinkRole is an output.
type sinkRole struct {
	output  pipeline.Output
	attach  func(r *run) error // nil for an output to which functions emit
	emitted bool
	silent  bool  // it ends a chain of functions, and makes no output
	aside   error // why records cannot be kept aside; nil if they can
}

func newPipeline(job string, once map[string][]byte, given bool) *Pipeline {
	p := &Pipeline{job: job, params: "{}", given: given, once: map[string][]byte{}}
	maps.Copy(p.once, once)
	return p
}

// add appends a node to the pipeline.
func (p *Pipeline) add(kind, detail, types string, from ...*node) *node {
	n := &node{id: len(p.nodes) + 1, kind: kind, detail: detail, label: p.label(detail), types: types, from: from, round: p.round}
	for _, f := range from {
		f.used++
		n.root = f.root
		if !f.round.within(p.round) {
			p.fail("%s uses the result of %s, which belongs to a round of %s and need not come: return it from the step of the Loop", n.stage(), f.stage(), f.round.of.label)
		}
	}
	p.nodes = append(p.nodes, n)
	return n
}

// fail keeps an error of the pipeline.
func (p *Pipeline) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// stage names a node in error messages.
//
//go:noinline
func (n *node) stage() string {
	switch {
	case n.kind == "Read" && n.name != "":
		return "Read of input " + n.name
	case n.label == "":
		return n.kind
	}
	return n.kind + " " + n.label
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
	for _, text := range p.expected {
		b.WriteString(plan.Declare(text))
	}
	rounds := sha256.New() // the text of rounds after the first, which are usually the same
	for _, n := range p.nodes {
		if n.round.apart() != nil {
			_, _ = io.WriteString(rounds, n.text())
			continue
		}
		b.WriteString(n.text())
		if n.loop != nil && len(n.loop.rounds) > 1 {
			fmt.Fprintf(&b, "its rounds from the second on: sha256 %x\n", rounds.Sum(nil))
		}
	}
	return b.String()
}

// text describes a node in a line.
func (n *node) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", n.id, n.kind)
	if n.name != "" {
		fmt.Fprintf(&b, " %q", n.name)
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
	return b.String()
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
