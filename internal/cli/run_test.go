package cli

import (
	"encoding/json"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store"
)

// runner returns a user with a memory store, and the root mem://in with a text.
func runner(t *testing.T, text string) (u *user, in *store.Root) {
	t.Helper()
	u = newUser(t)
	u.stores = store.Options{Mem: new(store.MemSpace)}
	in, err := store.Open(t.Context(), "mem://in", u.stores)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Put(t.Context(), "text", []byte(text), store.Durable); err != nil {
		t.Fatal(err)
	}
	return u, in
}

// TestRun runs a job in this process, and verifies what the card says to people, the
// report to programs, and cat of the output.
func TestRun(t *testing.T) {
	t.Parallel()
	const text = "b a\nb\n"
	u, in := runner(t, text)
	if err := in.Put(t.Context(), "_hidden", []byte("x"), store.Durable); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := u.do(t, "run", "wordcount", "--input", "mem://in", "--out", "mem://out", "--partitions", "2", "--slots", "1", "-o", "json")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	// The maps combine the words: there are two pairs, and two lines in the end.
	if r.Version != 1 || r.Job != "wordcount" || r.Output != "mem://out" || len(r.ID) != 26 || r.Input != (reportCount{2, int64(len(text))}) ||
		r.Shuffled.Records != 2 || r.Written.Records != 2 || r.Maps != 1 || r.Reduces != 2 || r.LeftOut != 1 || r.Slots != 1 || r.Retried != 0 || r.Chaos != nil {
		t.Errorf("the report is %s", stdout)
	}
	printed := u.must(t, "cat", "mem://out")
	lines := strings.Split(strings.TrimSuffix(printed, "\n"), "\n")
	slices.Sort(lines)
	if !slices.Equal(lines, []string{"a\t1", "b\t2"}) || int64(len(printed)) != r.Written.Bytes {
		t.Errorf("the output is %q", printed)
	}
	var whole []byte
	out, err := store.Open(t.Context(), "mem://out", u.stores)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range r.Parts {
		body, err := out.Get(t.Context(), part.Name, 100)
		if err != nil || int64(len(body)) != part.Size || crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != part.CRC32C {
			t.Errorf("the part %+v is %q (%v)", part, body, err)
		}
		whole = append(whole, body...)
	}
	if string(whole) != printed {
		t.Errorf("the parts of the report are %q, cat prints %q", whole, printed)
	}
	for _, says := range []string{"wordcount → mem://out", "2 records in 6 B, 1 map task", "1 object", "2 pairs", "2 partitions", "2 records in 8 B", "1 slot"} {
		if !strings.Contains(stderr, says) {
			t.Errorf("the card does not say %q:\n%s", says, stderr)
		}
	}
}

// TestRunAgain verifies what becomes of an output that exists, by --on-exists, and the
// exit status.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	u, _ := runner(t, "a\n")
	run := func(more ...string) (code int, stdout, stderr string) {
		t.Helper()
		return u.do(t, append([]string{"run", "wordcount", "--input", "mem://in", "--out", "mem://out", "--partitions", "1"}, more...)...)
	}
	if code, stdout, stderr := run("--quiet"); code != exitOK || stdout != "" || stderr != "" {
		t.Errorf("a quiet run: exit %d, prints %q, %q", code, stdout, stderr)
	}
	if code, _, stderr := run(); code != exitConflict || !strings.Contains(stderr, "mem://out") || !strings.Contains(stderr, "--on-exists") {
		t.Errorf("a second run: exit %d: %s", code, stderr)
	}
	for _, tt := range []struct{ mode, want string }{{"append", "a\t1\na\t1\n"}, {"replace", "a\t1\n"}} {
		if code, _, stderr := run("--on-exists", tt.mode); code != exitOK {
			t.Errorf("--on-exists %s: exit %d: %s", tt.mode, code, stderr)
		}
		if got := u.must(t, "cat", "mem://out"); got != tt.want {
			t.Errorf("after --on-exists %s the output is %q, want %q", tt.mode, got, tt.want)
		}
	}
	if got := u.must(t, "cat", "mem://out", "mem://out"); got != "a\t1\na\t1\n" {
		t.Errorf("two outputs print %q", got)
	}
}

// TestRunMistakes verifies that a run with a mistake in its flags does nothing, that its
// exit status is that of docs/cli.md, and that the message names the flag.
func TestRunMistakes(t *testing.T) {
	t.Parallel()
	u, _ := runner(t, "a\n")
	for typed, tt := range map[string]struct {
		code int
		says string
	}{
		"run":                            {exitInvalid, "windrow jobs"},
		"run wordcont":                   {exitInvalid, `"wordcount"`},
		"run wordcount":                  {exitInvalid, "--out"},
		"run wordcount --input mem://in": {exitInvalid, "out"},
		"run wordcount --out mem://o --input mem://no":                          {exitNotFound, "mem://no"},
		"run wordcount --out mem://o x":                                         {exitInvalid, `"x"`},
		"run wordcount --out mem://o --slots 0":                                 {exitInvalid, "--slots 0"},
		"run wordcount --out mem://o --slots x":                                 {exitInvalid, "slots"},
		"run wordcount --out mem://o --memory 0":                                {exitInvalid, `--memory "0"`},
		"run wordcount --out mem://o --memory lots":                             {exitInvalid, `--memory "lots"`},
		"run wordcount --out mem://o --partitions -1":                           {exitInvalid, `--partitions "-1"`},
		"run wordcount --out mem://o --split-size 0":                            {exitInvalid, `--split-size "0"`},
		"run wordcount --out mem://o --max-ratio 0":                             {exitInvalid, `--max-ratio "0"`},
		"run wordcount --out mem://o --max-decompressed x":                      {exitInvalid, `--max-decompressed "x"`},
		"run wordcount --out mem://o --chaos 503:200%":                          {exitInvalid, "200%"},
		"run wordcount --out mem://o --input mem://in --on-exists never":        {exitInvalid, "never"},
		"run wordcount --out mem://o --input mem://in --compress rar":           {exitInvalid, "rar"},
		"run wordcount --out mem://o --input mem://in --decompress rar":         {exitInvalid, "rar"},
		"run wordcount --out mem://o --input a=mem://in":                        {exitInvalid, "a"},
		"run wordcount --out nosuch://o --input mem://in":                       {exitInvalid, "nosuch"},
		"run grep --out mem://o --input mem://in":                               {exitInvalid, "pattern"},
		"run grep --out mem://o --input mem://in --pattern (":                   {exitInvalid, "pattern"},
		"run grep --out mem://o --input mem://in --param pattern":               {exitInvalid, `--param "pattern"`},
		"run grep --out mem://o --input mem://in --param =x":                    {exitInvalid, `--param "=x"`},
		"run grep --out mem://o --input mem://in --param patern=x":              {exitInvalid, "pattern"},
		"run grep --out mem://o --input mem://in --param pattern=x --pattern y": {exitInvalid, "pattern"},
		"run grep --out mem://o --input mem://in --pattern y --invert=maybe":    {exitInvalid, "maybe"},
		"run wordcount -o yaml --out mem://o":                                   {exitInvalid, "yaml"},
		"plan wordcount":                                                        {exitInvalid, "--out"},
		"cat":                                                                   {exitInvalid, "cat"},
		"cat mem://o":                                                           {exitNotFound, "output"},
		"cat nosuch://o":                                                        {exitInvalid, "nosuch"},
		"doctor":                                                                {exitInvalid, "URL"},
		"doctor mem://o x":                                                      {exitInvalid, `"x"`},
		"doctor mem://o -o xml":                                                 {exitInvalid, "xml"},
		"jobs x":                                                                {exitInvalid, `"x"`},
		"jobs -o xml":                                                           {exitInvalid, "xml"},
		"version now":                                                           {exitInvalid, `"now"`},
		"rnu":                                                                   {exitInvalid, `"run"`},
	} {
		code, stdout, stderr := u.do(t, strings.Fields(typed)...)
		if code != tt.code || !strings.Contains(stderr, tt.says) || stdout != "" || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: exit %d, want %d with %q: %s%s", typed, code, tt.code, tt.says, stdout, stderr)
		}
	}
	out, err := store.Open(t.Context(), "mem://o", u.stores)
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range out.List(t.Context(), "") {
		t.Errorf("a mistake has written %s (%v)", o.Key, err)
	}
}

// TestParameters verifies that a parameter of a job can be given by its own flag or by
// --param, and that a switch needs no value.
func TestParameters(t *testing.T) {
	t.Parallel()
	for n, tt := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--pattern", "a"}, "aa\nba\n"},
		{[]string{"--param", "pattern=a"}, "aa\nba\n"},
		{[]string{"--pattern=^a", "--param", "invert=true"}, "ba\nx=y\n"},
		{[]string{"--param", "pattern=x=y"}, "x=y\n"}, // the value has the second =
		{[]string{"--pattern", "a", "--invert"}, "x=y\n"},
		{[]string{"--invert=false", "--pattern", "a"}, "aa\nba\n"},
	} {
		u, _ := runner(t, "aa\nba\nx=y\n")
		out := "mem://out" + strconv.Itoa(n)
		u.must(t, append([]string{"run", "grep", "--input", "mem://in", "--out", out}, tt.flags...)...)
		if got := u.must(t, "cat", out); got != tt.want {
			t.Errorf("%q prints %q, want %q", tt.flags, got, tt.want)
		}
	}
}

// TestJobs verifies that the list of jobs has every parameter, with its default, for
// people and for programs.
func TestJobs(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	text := u.must(t, "jobs")
	var all []jobReport
	if err := json.Unmarshal([]byte(u.must(t, "jobs", "-o", "json")), &all); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]paramReport)
	for _, job := range all {
		if !strings.Contains(text, job.Name) {
			t.Errorf("%s is not in the list for people", job.Name)
		}
		for _, param := range job.Params {
			found[job.Name+" "+param.Name] = param
			if param.Type == "" || param.Help == "" || !strings.Contains(text, param.Help) {
				t.Errorf("the parameter of %s is %+v", job.Name, param)
			}
		}
	}
	if p := found["grep pattern"]; !p.Required || p.Switch || !strings.Contains(text, "(required)") {
		t.Errorf("the pattern of grep is %+v", p)
	}
	if p := found["grep invert"]; p.Required || !p.Switch || p.Default != "false" {
		t.Errorf("the switch of grep is %+v", p)
	}
	if _, listed := found["wordcount pattern"]; listed {
		t.Error("wordcount has a parameter of grep")
	}
}

// TestVersion verifies that both ways to ask for the version print the same.
func TestVersion(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var v version
	if err := json.Unmarshal([]byte(u.must(t, "version", "-o", "json")), &v); err != nil || v.Go == "" || !strings.Contains(v.Platform, "/") {
		t.Errorf("it is %+v (%v)", v, err)
	}
	text := u.must(t, "version")
	if text != u.must(t, "--version") || strings.Count(text, "\n") != 1 || !strings.Contains(text, v.Go) || !strings.Contains(text, v.Platform) {
		t.Errorf("it prints %q", text)
	}
}

// TestNumbers verifies how the card writes numbers.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 123456: "123,456", 1234567890: "1,234,567,890", -1234567: "-1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 tasks", 1: "1 task", 2: "2 tasks", 1000: "1,000 tasks"} {
		if got := count(n, "task"); got != want {
			t.Errorf("%d tasks are written %q, want %q", n, got, want)
		}
	}
}
