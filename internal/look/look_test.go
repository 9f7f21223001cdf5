package look_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/look"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/store"
)

// oneMain keeps two command lines from being parsed at once: the library that parses them
// has one help flag for the whole process.
var oneMain sync.Mutex

// user types command lines, and has a store.
type user struct {
	t      *testing.T
	stores store.Options
}

func newUser(t *testing.T) user { return user{t, store.Options{Mem: new(store.MemSpace)}} }

// put writes an object of the root mem://in.
func (u user) put(key, text string) {
	u.t.Helper()
	root, err := store.Open(u.t.Context(), "mem://in", u.stores)
	if err != nil {
		u.t.Fatal(err)
	}
	if err := root.Put(u.t.Context(), key, []byte(text), store.Durable); err != nil {
		u.t.Fatal(err)
	}
}

// do runs a command line.
func (u user) do(line string) (code int, stdout, stderr string) {
	u.t.Helper()
	var out, errs bytes.Buffer
	oneMain.Lock()
	defer oneMain.Unlock()
	code = cli.Main(u.t.Context(), cli.Program{Args: append([]string{"windrow"}, strings.Fields(line)...), Stdout: &out, Stderr: &errs,
		Stores: u.stores, Jobs: library.All(), Library: true, Commands: look.Commands()})
	return code, out.String(), errs.String()
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // into memory
	w.Close()
	return b.String()
}

const (
	cities = "\xef\xbb\xbfname,n,at\r\n\"Zug, x\",3,2026-01-01\r\n\"a\nb\",,2026-01-02\r\n"
	lines  = `{"n":3,"name":"Zug, x","at":"2026-01-01","tags":[1,{"a":2}]}` + "\n\n" + `{"name":"a\nb","n":null,"at":"2026-01-02","tags":[]}` + "\n"
)

// TestRecordsAreShown verifies what users see of each format, by name and by first bytes,
// plain and compressed, in each form.
func TestRecordsAreShown(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.put("a.csv", cities)
	u.put("b.jsonl.gz", zipped(lines))
	u.put("c", lines)
	u.put("late.csv", "a,\n"+strings.Repeat("1,\n", 150)+"2,x\n3,yz\n")
	u.put("wide.jsonl", `{"a":"x\ty"}`+"\n")
	u.put("d.tsv", "a\t1\nb\t\n")
	u.put("e.txt", "to be\nor not\x1b[2J\n")
	u.put("f.csv.bgz", zipped("n\n7\n"))
	for line, want := range map[string]string{
		"head mem://in/a.csv":                      "name    n  at\nZug, x  3  2026-01-01\na\\nb       2026-01-02\n",
		"head -n 1 -o csv mem://in/a.csv":          "name,n,at\n\"Zug, x\",3,2026-01-01\n",
		"head -o json -n 1 mem://in/b.jsonl.gz":    `{"n":3,"name":"Zug, x","at":"2026-01-01","tags":[1,{"a":2}]}` + "\n",
		"cat -o json mem://in/c":                   strings.Replace(lines, "\n\n", "\n", 1),
		"cat -o csv mem://in/c":                    "n,name,at,tags\n3,\"Zug, x\",2026-01-01,\"[1,{\"\"a\"\":2}]\"\n,\"a\nb\",2026-01-02,[]\n",
		"cat mem://in/b.jsonl.gz":                  lines,
		"head mem://in/d.tsv":                      "1  2\na  1\nb  \n",
		"head --header mem://in/d.tsv":             "a  1\nb  \n",
		"head --no-header -n 1 mem://in/a.csv":     "1     2  3\nname  n  at\n",
		"head mem://in/e.txt":                      "to be\nor not\\x1b[2J\n",
		"head -n 0 mem://in/e.txt":                 "",
		"head -o json mem://in/f.csv.bgz":          `{"n":"7"}` + "\n",
		"head --format lines -n 1 mem://in/d.tsv":  "a\\t1\n",
		"count mem://in/a.csv mem://in/b.jsonl.gz": "4\n",
		"cat -o table mem://in/late.csv":           "a  \n" + strings.Repeat("1  \n", 150) + "2  x\n3  …\n",
		"head mem://in/wide.jsonl":                 "a\nx\\ty\n",
		"count mem://in/[a-e].* mem://in/c":        "10\n",
		"schema mem://in/a.csv":                    "column  type     null\nname    string   false\nn       integer  true\nat      date     false\n",
		"schema -o json mem://in/c":                "{\"column\":\"n\",\"type\":\"integer\",\"null\":true}\n{\"column\":\"name\",\"type\":\"string\",\"null\":false}\n{\"column\":\"at\",\"type\":\"date\",\"null\":false}\n{\"column\":\"tags\",\"type\":\"list\",\"null\":false}\n",
		"diff mem://in/c mem://in/b.jsonl.gz":      "0 records only in mem://in/c, 0 only in mem://in/b.jsonl.gz, 2 in both\n",
	} {
		if code, stdout, stderr := u.do(line); code != 0 || stdout != want {
			t.Errorf("%s: exit %d, %s\n%q, want\n%q", line, code, stderr, stdout, want)
		}
	}
}

// TestMistakesInData verifies that objects which cannot be shown give an error that names
// them, and what to do.
func TestMistakesInData(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.put("array.json", "[\n{\"a\":1},\n{\"a\":2}\n]\n")
	u.put("bad.jsonl", "{\"a\":1}\n{\"a\":\n")
	u.put("bad.csv", "a,b\n1,\"2\n")
	u.put("binary", "\x7fELF\x00\x01")
	u.put("columns.parquet", "PAR1\x15\x00PAR1")
	u.put("short.gz", zipped(strings.Repeat("text\n", 1000))[:30])
	u.put("late.jsonl", strings.Repeat("{\"a\":1}\n", 200)+"{\"b\":1}\n")
	for line, want := range map[string]string{
		"head mem://in/array.json":       "mem://in/array.json: line 1: unexpected end of JSON input: an array over several lines is no JSON Lines; write each record on a line of its own",
		"count mem://in/bad.jsonl":       "mem://in/bad.jsonl: line 2: unexpected end of JSON input",
		"head mem://in/bad.csv":          `mem://in/bad.csv: parse error on line 2, column 6: extraneous or missing "`,
		"head mem://in/binary":           "mem://in/binary: the format is not known: it is binary, and begins with 7f 45 4c 46 00 01; name it with --format",
		"head mem://in/columns.parquet":  "mem://in/columns.parquet has 10 bytes, and no Parquet file has fewer than 12",
		"cat -o json mem://in/short.gz":  "mem://in/short.gz: ",
		"cat mem://in/short.gz":          "mem://in/short.gz: ",
		"cat -o csv mem://in/late.jsonl": `a record has the column "b", which none of the first 100 has: print the records with -o json`,
		"head mem://in/none":             "there is no such object",
		"cat mem://in/none":              "there is no such object",
		"count mem://in/none":            "there is no such object",
		"head -o yaml mem://in/bad.csv":  `unknown format "yaml": there are table, json and csv`,
		"head --format x mem://in/a":     `unknown format "x": there are lines, csv, tsv, jsonl, parquet, avro`,
		"head":                           "no output or input named",
		"head -n -1 mem://in/a":          "negative",
		"diff mem://in/bad.csv":          "diff compares two",
	} {
		if code, _, stderr := u.do(line); code == 0 || !strings.Contains(stderr, want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: exit %d, %s\nwant %s", line, code, stderr, want)
		}
	}
}

// TestOutputsAreShown verifies that of an output the committed records are shown, and
// counted by its manifest.
func TestOutputsAreShown(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.put("text", "b\na\nc\n")
	if code, _, stderr := u.do("run sort --input mem://in/text --out mem://out --partitions 2"); code != 0 {
		t.Fatal(stderr)
	}
	out, err := store.Open(t.Context(), "mem://out", u.stores)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Put(t.Context(), "part-09999-00000000000000000000000000.txt", []byte("not committed\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"head -n 2 mem://out":          "a\nb\n",
		"cat mem://out":                "a\nb\nc\n",
		"cat -o json mem://out":        "{\"line\":\"a\"}\n{\"line\":\"b\"}\n{\"line\":\"c\"}\n",
		"count mem://out":              "3\n",
		"diff mem://in/text mem://out": "0 records only in mem://in/text, 0 only in mem://out, 3 in both\n",
	} {
		if code, stdout, stderr := u.do(line); code != 0 || stdout != want {
			t.Errorf("%s: exit %d, %s\n%q, want\n%q", line, code, stderr, stdout, want)
		}
	}
}

// TestDiffFindsEveryDifference compares random records, some of them several times, with
// a count of each.
func TestDiffFindsEveryDifference(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		var a, b []string
		net := make(map[int]int)
		for range r.IntN(300) {
			switch n := r.IntN(100); r.IntN(8) {
			case 0:
				a = append(a, fmt.Sprintf("{\"n\":%d,\"m\":\"x\"}\n", n))
				net[n]++
			case 1:
				b = append(b, fmt.Sprintf("x,%d\n", n))
				net[n]--
			default:
				a = append(a, fmt.Sprintf("{\"m\":\"x\",\"n\":%d}\n", n))
				b = append(b, fmt.Sprintf("x,%d\n", n))
			}
		}
		r.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		u.put("a.jsonl", strings.Join(a, "")+"\n")
		u.put("b.csv", "m,n\n"+strings.Join(b, ""))
		var only [2]int
		for _, n := range net {
			only[0] += max(n, 0)
			only[1] += max(-n, 0)
		}
		want := fmt.Sprintf("%d records only in mem://in/a.jsonl, %d only in mem://in/b.csv, %d in both\n", only[0], only[1], len(a)-only[0])
		code, stdout, stderr := u.do("diff -n 1000 mem://in/a.jsonl mem://in/b.csv")
		if code != min(only[0]+only[1], 1) || !strings.HasSuffix(stdout, want) || stderr != "" {
			t.Errorf("seed %d: exit %d, %s\n%s, want %s", seed, code, stderr, stdout, want)
		}
		for n, times := range net {
			sign := "-"
			if times < 0 {
				sign = "+"
			}
			if times != 0 && !strings.Contains(stdout, fmt.Sprintf("%s \"m\": \"x\", \"n\": \"%d\"", sign, n)) {
				t.Errorf("seed %d: no difference of %d in\n%s", seed, n, stdout)
			}
		}
	}
}
