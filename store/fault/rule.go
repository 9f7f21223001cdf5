package fault

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Op is a driver call that rules can meet.
type Op string

// The calls. Read is a request of a range or of a whole object, on local stores
// too.
const (
	Put    Op = "put"
	Begin  Op = "begin" // of an upload
	Part   Op = "part"
	Commit Op = "commit"
	Abort  Op = "abort"
	Read   Op = "read"
	Stat   Op = "stat"
	List   Op = "list"
	Delete Op = "delete"
)

// Action is what happens to a call.
type Action int

// The actions. The package comment describes each, and the calls that it
// happens to.
const (
	Fail         Action = iota // nothing is done
	LoseResponse               // the call is done, its success is not reported
	Short                      // a range's answer promises less than was asked for
	Truncate                   // a body ends before its promised length
	Stall                      // a body stops
	Full                       // a range's answer is the whole object
	Reset                      // the connection breaks
	Flip                       // a bit of a body is inverted
	Slow                       // the answer begins later
	Limit                      // a body has little bandwidth
)

// Rule says which calls fail, and how. Parse makes rules of text.
type Rule struct {
	Op  Op     // "": all that the fault can happen to
	Key string // pattern of store.Match over the driver's key; "": any

	// Percent of the calls are struck; 0: Nth and Times say which.
	Percent float64
	Burst   int // how many tries of a call that Percent strikes fail in a row; 0: one
	// Nth is the first matching call that fails; 0: the first. Times is how
	// many fail; 0: one, negative: all that follow.
	Nth, Times int
	Tries      bool // Nth and Times count the tries of each call, not all calls

	Do    Action
	Kind  plan.Kind     // of the error of Fail and LoseResponse; Unknown stands for Unavailable
	After int64         // bytes that come before the fault in a body; negative: as drawn
	For   time.Duration // how long Slow and Stall last; 0: for Stall, until the context ends
	Rate  int64         // bytes per second of Limit
}

// Plan is a list of rules. The first that strikes decides.
type Plan []Rule

// String returns the plan in the language that Parse reads.
func (p Plan) String() string {
	texts := make([]string, len(p))
	for i := range p {
		texts[i] = p[i].String()
	}
	return strings.Join(texts, ", ")
}

// Defaults of parameters.
const (
	defaultSlow  = 200 * time.Millisecond
	defaultStall = time.Minute
	defaultRate  = 1 << 20
)

// parameter is a set of parameters of a fault.
type parameter int

const (
	paramAfter parameter = 1 << iota
	paramFor
	paramRate
	paramAs
)

// word is a fault by its name.
type word struct {
	name   string
	do     Action
	kind   plan.Kind
	ops    []Op // nil: all
	params parameter
}

// allOps are in the order in which they are listed.
var allOps = []Op{Put, Begin, Part, Commit, Abort, Read, Stat, List, Delete}

var words = []word{
	{name: "503", do: Fail, kind: plan.Throttled},
	{name: "500", do: Fail, kind: plan.Unavailable},
	{name: "400", do: Fail, kind: plan.Invalid},
	{name: "expired", do: Fail, kind: plan.Denied},
	{name: "404", do: Fail, kind: plan.NotFound, ops: []Op{Read, Stat}},
	{name: "409", do: Fail, kind: plan.Contended, ops: []Op{Put, Commit}},
	{name: "412", do: Fail, kind: plan.Exists, ops: []Op{Put, Commit}},
	{name: "corrupt", do: Fail, kind: plan.Corrupt},
	{name: "reset", do: Reset, params: paramAfter},
	{name: "lost", do: LoseResponse, ops: []Op{Put, Begin, Part, Commit, Abort, Delete}, params: paramAs},
	{name: "cut", do: Truncate, ops: []Op{Read}, params: paramAfter},
	{name: "short", do: Short, ops: []Op{Read}, params: paramAfter},
	{name: "full", do: Full, ops: []Op{Read}},
	{name: "stall", do: Stall, ops: []Op{Read}, params: paramAfter | paramFor},
	{name: "flip", do: Flip, ops: []Op{Read}, params: paramAfter},
	{name: "slow", do: Slow, params: paramFor},
	{name: "bandwidth", do: Limit, ops: []Op{Put, Part, Read}, params: paramRate},
}

// named returns the fault of a name.
func named(name string) (word, bool) {
	i := slices.IndexFunc(words, func(w word) bool { return w.name == name })
	if i < 0 {
		return word{}, false
	}
	return words[i], true
}

// names lists the faults, or only those that are answers to a write if only is
// set.
func names(only bool) []string {
	var all []string
	for i := range words {
		if !only || words[i].do == Fail && words[i].kind != plan.NotFound {
			all = append(all, words[i].name)
		}
	}
	return all
}

// happensTo reports whether the fault can happen to an operation.
func (w *word) happensTo(op Op) bool { return w.ops == nil || slices.Contains(w.ops, op) }

// word returns the index of the fault that a rule stands for, -1 for a kind of
// error that has no name.
//
//go:noinline
func (r *Rule) word() int {
	return slices.IndexFunc(words, func(w word) bool {
		return w.do == r.Do && (r.Do != Fail || w.kind == r.kind())
	})
}

// kind returns the kind of the rule's error.
func (r *Rule) kind() plan.Kind {
	if r.Kind == plan.Unknown {
		return plan.Unavailable
	}
	return r.Kind
}

// name returns the fault's name.
func (r *Rule) name() string {
	if at := r.word(); at >= 0 {
		return words[at].name
	}
	return r.Kind.String()
}

// String returns the rule in the language that Parse reads. It describes a
// literal that this language cannot express in words that Parse does not know.
func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString(r.name() + ":" + r.when())
	add := func(name, value string) { b.WriteString(" " + name + value) }
	if r.Op != "" {
		add("", string(r.Op))
	}
	if r.Key != "" {
		add("key=", quoted(r.Key))
	}
	if r.Do == LoseResponse && r.kind() != plan.Unavailable {
		as := Rule{Do: Fail, Kind: r.Kind}
		add("as=", as.name())
	}
	if r.Burst > 1 {
		add("burst=", strconv.Itoa(r.Burst))
	}
	at := r.word()
	if at < 0 {
		return b.String()
	}
	w := &words[at]
	if w.params&paramAfter != 0 && r.After >= 0 {
		add("after=", sizeText(r.After))
	}
	if w.params&paramFor != 0 && r.For != w.lasting() {
		add("for=", r.For.String())
	}
	if w.params&paramRate != 0 && r.Rate != defaultRate {
		add("rate=", sizeText(r.Rate)+"/s")
	}
	return b.String()
}

// lasting returns how long a fault lasts unless a rule says otherwise.
func (w *word) lasting() time.Duration {
	switch w.do {
	case Slow:
		return defaultSlow
	case Stall:
		return defaultStall
	default:
		return 0
	}
}

// when returns which calls are struck.
func (r *Rule) when() string {
	if r.Percent > 0 {
		return strconv.FormatFloat(r.Percent, 'f', -1, 64) + "%"
	}
	mark := "@"
	if r.Tries {
		mark = "#"
	}
	first, last := r.span()
	switch {
	case last < 0:
		return mark + strconv.Itoa(first) + "-"
	case last == first:
		return mark + strconv.Itoa(first)
	default:
		return mark + strconv.Itoa(first) + "-" + strconv.Itoa(last)
	}
}

// span returns the first and the last call that are struck; -1: there is no
// last.
func (r *Rule) span() (first, last int) {
	first = max(1, r.Nth)
	switch {
	case r.Times < 0:
		return first, -1
	case r.Times == 0:
		return first, first
	default:
		return first, first + r.Times - 1
	}
}

// quoted returns a pattern as a word.
func quoted(pattern string) string {
	if strings.ContainsFunc(pattern, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`,"`, c) }) {
		return strconv.Quote(pattern)
	}
	return pattern
}

// units of sizes, the greatest first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// sizeText returns a size exactly.
func sizeText(n int64) string {
	for _, u := range units {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
