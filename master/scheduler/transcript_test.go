package scheduler

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts again; explain every line that changes")

// TestTranscripts plays the scenarios in testdata. A line "> event" is fed to a
// master; the indented lines after it are the commands that must come back.
// "auto on" answers appends and epoch checks at once, as an idle store would.
// "graph=" gives a job of several stages: see parseGraph.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, want)
			if *rewrite {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s differs; got:\n%s", file, got)
			}
		})
	}
}

// play runs a transcript and returns it with the commands that came back.
func play(t *testing.T, script []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var p player
	for lines := bufio.NewScanner(bytes.NewReader(script)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "    ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if rest, ok := strings.CutPrefix(line, "> "); ok {
			for _, c := range p.line(t, rest) {
				fmt.Fprintf(&out, "    %s\n", c)
			}
			if p.s != nil {
				if err := p.s.Check(); err != nil {
					t.Fatalf("after %q: %v", line, err)
				}
			}
		}
	}
	return out.Bytes()
}

type player struct {
	s    *State
	now  Time
	auto bool
}

// line carries out one line of a script and returns the commands as text.
func (p *player) line(t *testing.T, line string) []string {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	args := map[string]string{}
	for field := range strings.FieldsSeq(rest) {
		name, value, _ := strings.Cut(field, "=")
		args[name] = value
	}
	num := func(name string) int {
		n, err := strconv.Atoi(args[name])
		if err != nil && args[name] != "" {
			t.Fatalf("%q: %s is no number", line, args[name])
		}
		return n
	}
	switch verb {
	case "master":
		p.s = New(Config{Epoch: uint64(num("epoch")), Counts: plan.Counts{Samples: num("samples"), Maps: num("maps"), Reduces: num("reduces")}, Graph: parseGraph(t, args), Speculate: num("speculate"), Prepare: args["prepare"] == "yes", Adjacent: num("adjacent")})
		return nil
	case "auto":
		p.auto = rest == "on"
		return nil
	case "after":
		p.now += Time(num("seconds")) * 1e9
		return p.step(Tick{})
	}
	return p.step(parseEvent(t, verb, rest, args, num))
}

func (p *player) step(e Event) []string {
	var texts []string
	for events := []Event{e}; len(events) > 0; {
		e, events = events[0], events[1:]
		for _, c := range p.s.Step(p.now, e) {
			texts = append(texts, describe(c))
			if p.auto {
				switch c.(type) {
				case Append:
					events = append(events, Appended{})
				case CheckEpoch:
					events = append(events, Checked{true})
				}
			}
		}
	}
	return texts
}

func parseEvent(t *testing.T, verb, line string, args map[string]string, num func(string) int) Event {
	t.Helper()
	task, _ := plan.ParseTaskID(args["task"])
	attempt := parseAttempt(args["attempt"])
	switch verb {
	case "lead":
		return Lead{Reopen: args["reopen"] == "yes"}
	case "appended":
		return Appended{}
	case "checked":
		return Checked{args["leads"] == "yes"}
	case "joined":
		return Joined{WorkerID(args["worker"]), num("slots")}
	case "left":
		return Left{WorkerID(args["worker"])}
	case "reported":
		winner := attempt
		if args["winner"] != "" {
			winner = parseAttempt(args["winner"])
		}
		return Reported{Task: task, Attempt: attempt, Winner: winner, Digest: Digest{In: int64(num("in")), Out: int64(num("out")), Bytes: int64(num("mb")) << 20},
			Counts: plan.Counts{Samples: num("samples"), Maps: num("maps"), Reduces: num("reduces")}, Graph: parseGraph(t, args)}
	case "failed":
		failed := FailedAttempt{Task: task, Attempt: attempt, Failure: plan.Failure{Text: "boom", Fingerprint: args["fingerprint"], Final: args["final"] == "yes", Unfit: args["unfit"] == "yes"}}
		if args["conflict"] == "yes" {
			failed.Kind = plan.Conflict
		}
		return failed
	case "doubted":
		return Doubted{WorkerID(args["worker"]), args["again"] != "yes"}
	case "found":
		return Found{WorkerID(args["worker"]), task, attempt}
	case "lost":
		return LostAttempt{Task: task, Attempt: attempt, ByMap: args["by"] == "map"}
	case "asked":
		return Asked{task, attempt}
	case "corrupt":
		return Corrupt{task, attempt, "a run is gone"}
	case "cancel":
		return Cancel{Cause{Kind: plan.Cancelled, Text: "interrupted"}}
	case "committed":
		return OutputCommitted{}
	case "refused":
		return OutputRefused{Cause{Kind: plan.Conflict, Text: "the output is another job's"}}
	case "cleaned":
		return CleanedUp{}
	case "taken", "replayed":
		r := Record{Epoch: uint64(num("epoch")), Entries: parseEntries(t, args, task, attempt)}
		if verb == "taken" {
			return Taken{r}
		}
		return Replayed{r}
	}
	t.Fatalf("unknown event %q %q", verb, line)
	return nil
}

func parseEntries(t *testing.T, args map[string]string, task plan.TaskID, attempt plan.AttemptID) []Entry {
	t.Helper()
	var entries []Entry
	for name := range strings.SplitSeq(args["entries"], ",") {
		switch name {
		case "fence":
			entries = append(entries, Fence{})
		case "planned":
			var e Planned
			if e.Graph = parseGraph(t, args); e.Graph != nil {
				entries = append(entries, e)
				continue
			}
			if _, err := fmt.Sscanf(args["tasks"], "%d/%d/%d", &e.Samples, &e.Maps, &e.Reduces); err != nil {
				t.Fatal(err)
			}
			e.Attempt = parseAttempt(args["planned"])
			entries = append(entries, e)
		case "granted":
			entries = append(entries, Granted{task, attempt})
		case "committed":
			out, _ := strconv.ParseInt(args["out"], 10, 64)
			entries = append(entries, Committed{Task: task, Attempt: attempt, Digest: Digest{Out: out}})
		case "invalidated":
			entries = append(entries, Invalidated{Task: task, Attempt: attempt, Before: parseAttempt(args["before"])})
		case "aborted":
			entries = append(entries, Aborted{Cause{Kind: plan.Cancelled, Text: "interrupted"}})
		case "intent":
			entries = append(entries, Intent{})
		case "done":
			entries = append(entries, Done{})
		case "reopened":
			entries = append(entries, Reopened{})
		default:
			t.Fatalf("unknown entry %q", name)
		}
	}
	return entries
}

var stepText = regexp.MustCompile(`^(.+/|)([a-z]+)(?::(\d+))?(?:<(\d+))?(?:\+(\d+))?(?:>([\d,]+))?(?:~([\d,]+))?(?:@(\d+))?(\*?)(!?)$`)

// parseGraph reads the graph of a job: steps such as "day/reduce<0+1>2,3!", which
// reads exchange 0 and all of exchange 1, writes 2 and 3, and makes parts. A step that
// reads inputs has its tasks behind a colon. "~0,1" lists the steps that a step observes, and "@2"
// is the round to which it belongs; a star says that it reads the result of the loop,
// whose rounds leave the exchanges of the argument states. The argument partitions has those of the
// exchanges, and sampled a step for each whose keys are sampled, or a dash.
func parseGraph(t *testing.T, args map[string]string) *plan.Graph {
	t.Helper()
	if args["graph"] == "" {
		return nil
	}
	numbers := func(text string) (all []int) {
		for s := range strings.SplitSeq(text, ",") {
			if n, err := strconv.Atoi(s); err == nil {
				all = append(all, n)
			} else if s == "-" {
				all = append(all, plan.None)
			}
		}
		return all
	}
	g := &plan.Graph{Least: 2}
	for _, n := range numbers(args["partitions"]) {
		g.Exchanges = append(g.Exchanges, plan.Exchange{Partitions: n, Estimate: 1 << 30})
	}
	for x, step := range numbers(args["sampled"]) {
		if step != plan.None {
			g.Exchanges[x].Sampled = []int{step}
		}
	}
	if states := numbers(args["states"]); states != nil {
		g.Loops = []plan.Loop{{States: states, Round: 1}}
	}
	phases := map[string]plan.Phase{"sample": plan.Sample, "map": plan.Map, "reduce": plan.Reduce, "decide": plan.Decide}
	for text := range strings.SplitSeq(args["graph"], "|") {
		m := stepText.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%q is no step", text)
		}
		s := plan.Step{Group: plan.Group{Stage: strings.TrimSuffix(m[1], "/"), Phase: phases[m[2]]}, Reads: plan.None,
			Sides: numbers(m[5]), Writes: numbers(m[6]), Observes: numbers(m[7]), Parts: m[10] != ""}
		for _, n := range numbers(m[8]) {
			s.Loop, s.Round = 1, n
		}
		if m[9] != "" {
			s.Last = 1
		}
		for _, n := range numbers(m[3]) {
			s.Tasks = n
		}
		for _, x := range numbers(m[4]) {
			s.Reads = x
		}
		for _, x := range s.Writes {
			g.Exchanges[x].Writers = append(g.Exchanges[x].Writers, len(g.Steps))
		}
		g.Steps = append(g.Steps, s)
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	return g
}

func parseAttempt(s string) plan.AttemptID {
	var a plan.AttemptID
	if _, err := fmt.Sscanf(s, "%d.%d", &a.Epoch, &a.N); err != nil {
		return plan.AttemptID{}
	}
	return a
}

func short(a plan.AttemptID) string { return fmt.Sprintf("%d.%d", a.Epoch, a.N) }

func describe(c Command) string {
	switch c := c.(type) {
	case Append:
		var b strings.Builder
		fmt.Fprintf(&b, "append slot=%d epoch=%d", c.Slot, c.Record.Epoch)
		for _, e := range c.Record.Entries {
			b.WriteString(" " + describeEntry(e))
		}
		return b.String()
	case Launch:
		return fmt.Sprintf("launch %v attempt=%s on %s", c.Task, short(c.Attempt), c.Worker)
	case Stop:
		return fmt.Sprintf("stop %v attempt=%s on %s", c.Task, short(c.Attempt), c.Worker)
	case Grant:
		return fmt.Sprintf("grant %v attempt=%s", c.Task, short(c.Attempt))
	case Wake:
		return fmt.Sprintf("wake at %ds", c.At/1e9)
	case Finish:
		return strings.TrimSpace(fmt.Sprintf("finish %v %v", c.Status, c.Cause))
	default:
		return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", c), "scheduler."))
	}
}

func describeEntry(e Entry) string {
	switch e := e.(type) {
	case Planned:
		if e.Graph != nil {
			return strings.TrimSuffix(fmt.Sprintf("planned(%d steps by %s", len(e.Graph.Steps), short(e.Attempt)), " by 0.0") + ")"
		}
		if e.Attempt != (plan.AttemptID{}) {
			return fmt.Sprintf("planned(%d/%d/%d by %s)", e.Samples, e.Maps, e.Reduces, short(e.Attempt))
		}
		return fmt.Sprintf("planned(%d/%d/%d)", e.Samples, e.Maps, e.Reduces)
	case Sized:
		return fmt.Sprintf("sized(exchange %d: %d)", e.Exchange, e.Partitions)
	case Granted:
		return fmt.Sprintf("granted(%v %s)", e.Task, short(e.Attempt))
	case Committed:
		return fmt.Sprintf("committed(%v %s)", e.Task, short(e.Attempt))
	case Invalidated:
		if e.Before != (plan.AttemptID{}) {
			return fmt.Sprintf("invalidated(%v %s before %s)", e.Task, short(e.Attempt), short(e.Before))
		}
		return fmt.Sprintf("invalidated(%v %s)", e.Task, short(e.Attempt))
	case Aborted:
		return fmt.Sprintf("aborted(%v)", e.Cause)
	default:
		return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "scheduler."))
	}
}
