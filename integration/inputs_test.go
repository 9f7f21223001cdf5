package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/relay"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/worker/planner"
)

// place is a root of some kind that holds the objects of a case. Each object is a line
// with its own key.
type place struct {
	url   string // without a final slash; a query may follow the name of an input
	query string
	opts  store.Options
	put   func(t *testing.T, key, body string)
}

// input returns the URL of a name in the place.
func (p *place) input(name string) string { return p.url + "/" + name + p.query }

// The kinds of places. A key with odd slashes exists in buckets only, and versitygw keeps
// its objects as files.
var places = map[string]func(t *testing.T) *place{
	"file": func(t *testing.T) *place {
		dir := t.TempDir()
		return &place{url: dir, put: func(t *testing.T, key, body string) {
			t.Helper()
			name := filepath.Join(dir, key)
			err := os.MkdirAll(filepath.Dir(name), 0o700)
			target, link := strings.CutPrefix(body, "-> ")
			switch {
			case err != nil:
			case link:
				err = os.Symlink(target, name)
			case body == "pipe":
				err = syscall.Mkfifo(name, 0o600)
			default:
				err = os.WriteFile(name, []byte(body), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}}
	},
	"mem": func(*testing.T) *place {
		space := new(store.MemSpace)
		in := space.Open("in")
		return &place{url: "mem://in", opts: store.Options{Mem: space}, put: func(t *testing.T, key, body string) {
			t.Helper()
			if err := in.Put(t.Context(), key, []byte(body), driver.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}}
	},
	"s3": func(t *testing.T) *place {
		url, query, _ := strings.Cut(s3test.Start(t), "?")
		p := &place{url: url, query: "?" + query}
		root, err := store.Open(t.Context(), url+p.query, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = root.Close() })
		p.put = func(t *testing.T, key, body string) {
			t.Helper()
			if err := root.Put(t.Context(), key, []byte(body), store.Durable); err != nil {
				t.Fatal(err)
			}
		}
		return p
	},
	"bucket": func(t *testing.T) *place {
		s3test.SetCredentials()
		backend := s3mem.New()
		if err := backend.CreateBucket("in"); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(gofakes3.New(backend).Server())
		t.Cleanup(server.Close)
		return &place{url: "s3://in", query: "?region=us-east-1&use_path_style=true&endpoint=" + server.URL, put: func(t *testing.T, key, body string) {
			t.Helper()
			if _, err := backend.PutObject("in", key, map[string]string{}, strings.NewReader(body), int64(len(body)), nil); err != nil {
				t.Fatal(err)
			}
		}}
	},
}

// reads is a case: a name, and what is read.
type reads struct {
	row     string   // of the table in docs/cli.md
	kinds   string   // of places; empty for all
	objects []string // keys; "key=body" for another body than the key
	input   []string
	out     string // relative to the place; empty for an output elsewhere
	want    []string
	leftOut string // in words
	says    string // of the error
}

var logs = []string{"logs/a.txt", "logs/b.txt", "logs/deep/c.txt", "logs/deep/er/d.txt", "logs/_x.txt", "logs/.y", "logs/_tmp/z.txt", "logs/_tmp/zz.txt", "logs2/e.txt"}

const flatKinds = "mem bucket"

func names(names ...string) []string { return names }

// cases are the rows of the table in docs/cli.md.
var cases = []reads{
	{row: "logs", objects: logs, input: names("logs"), want: names("logs/a.txt", "logs/b.txt", "logs/deep/c.txt", "logs/deep/er/d.txt"), leftOut: "3 objects or directories whose names begin with _ or ."},
	{row: "logs/", objects: logs, input: names("logs/"), want: names("logs/a.txt", "logs/b.txt", "logs/deep/c.txt", "logs/deep/er/d.txt"), leftOut: "3 objects or directories whose names begin with _ or ."},
	{row: "logs/a.txt", objects: logs, input: names("logs/a.txt"), want: names("logs/a.txt")},
	{row: "logs/a.txt", objects: logs, input: names("logs/a.txt", "logs2/e.txt"), want: names("logs/a.txt", "logs2/e.txt")},
	{row: "logs/none", objects: logs, input: names("logs/none"), says: "there is no such object, directory or prefix"},
	{row: "logs/none", objects: logs, input: names("logs/*.gz"), says: "holds no objects"},
	{row: "logs/*.txt", objects: logs, input: names("logs/*.txt"), want: names("logs/a.txt", "logs/b.txt"), leftOut: "1 object or directory whose name begins with _ or ."},
	{row: "logs/*.txt", objects: logs, input: names("logs/[ab].t*"), want: names("logs/a.txt", "logs/b.txt")},
	{row: "logs/*/*.txt", objects: logs, input: names("logs/*/*.txt"), want: names("logs/deep/c.txt"), leftOut: "1 object or directory whose name begins with _ or ."},
	{row: "logs/*/*.txt", objects: logs, input: names("log*/*.txt"), want: names("logs/a.txt", "logs/b.txt", "logs2/e.txt"), leftOut: "1 object or directory whose name begins with _ or ."},
	{row: "logs/**/*.txt", objects: logs, input: names("logs/**/*.txt"), want: names("logs/a.txt", "logs/b.txt", "logs/deep/c.txt", "logs/deep/er/d.txt"), leftOut: "2 objects or directories whose names begin with _ or ."},
	{row: "logs/_*.txt", objects: logs, input: names("logs/_*.txt"), want: names("logs/_x.txt")},
	{row: "logs/_*.txt", objects: logs, input: names("logs/_tmp/"), want: names("logs/_tmp/z.txt", "logs/_tmp/zz.txt")},
	{row: "logs/_*.txt", objects: logs, input: names("logs/_t*/z.txt"), want: names("logs/_tmp/z.txt")},
	{row: "logs/_year=2026/", objects: names("logs/_year=2026/x.txt", "logs/_year/x.txt", "logs/_SUCCESS="), input: names("logs"), want: names("logs/_year=2026/x.txt"), leftOut: "1 object or directory whose name begins with _ or ."},
	{row: "data[1].txt", objects: names("data[1].txt", "data1.txt"), input: names("data[1].txt"), want: names("data[1].txt")},
	{row: "data[1].txt", objects: names("data[1].txt", "data1.txt"), input: names(`data\[1\].txt`), want: names("data[1].txt")},
	{row: "data[1].txt", objects: names("data2.txt", "data1.txt"), input: names("data[1].txt"), want: names("data1.txt")},
	{row: "data[1].txt", objects: names("x/a*b", "x/aXb"), input: names("x/a*b"), want: names("x/a*b")},
	{row: "data[1].txt", objects: names("x[1]/a", "x1/b"), input: names("x[1]"), want: names("x[1]/a")},
	{row: "data[1].txt", objects: names("x[1]/a", "x1/b"), input: names("x[1]/*"), want: names("x1/b"), kinds: "mem s3 bucket"},
	{row: "logs//x", kinds: flatKinds, objects: names("logs//x", "logs/x"), input: names("logs//x"), want: names("logs//x")},
	{row: "logs//x", kinds: flatKinds, objects: names("logs//x", "logs/x", "logs//y/z"), input: names("logs//"), want: names("logs//x", "logs//y/z")},
	{row: "logs//x", kinds: flatKinds, objects: names("logs//x", "logs/x"), input: names("logs"), want: names("logs//x", "logs/x")},
	{row: "logs//x", kinds: flatKinds, objects: names("/x", "x"), input: names("/x"), want: names("/x")},
	{row: "logs//x", kinds: flatKinds, objects: names("/x", "x", "logs//x1"), input: names("logs//x*"), want: names("logs//x1")},
	{row: "logs, an empty object", kinds: flatKinds, objects: names("logs=", "logs/a", "logs/b"), input: names("logs"), want: names("logs/a", "logs/b")},
	{row: "logs, an empty object", kinds: flatKinds, objects: names("logs", "logs/a", "logs/b"), input: names("logs"), want: names("logs")},
	{row: "output below the input", objects: logs, input: names("logs"), out: "logs/out", says: "the next run would read its parts"},
	{row: "output below the input", objects: logs, input: names("*/*/*"), out: "logs/out", says: "the next run would read its parts"},
	{row: "output below the input", objects: logs, input: names("logs/*"), out: "logs", says: "the next run would read its parts"},
	{row: "output below the input", objects: logs, input: names("logs/**/p*"), out: "logs/out", says: "holds no objects"},
	{row: "output below the input", objects: logs, input: names("logs/*.txt"), out: "logs/out", want: names("logs/a.txt", "logs/b.txt"), leftOut: "1 object or directory whose name begins with _ or ."},
	{row: "output below the input", objects: logs, input: names("logs"), out: "logs/_out", want: names("logs/a.txt", "logs/b.txt", "logs/deep/c.txt", "logs/deep/er/d.txt"), leftOut: "3 objects or directories whose names begin with _ or ."},
	{row: "the same object twice", objects: logs, input: names("logs", "logs/a.txt"), says: "is named twice"},
	{row: "the same object twice", kinds: "file", objects: names("logs/a.txt", "more=-> logs"), input: names("logs", "more"), says: "is named twice"},
	{row: "a link to a file", kinds: "file", objects: names("logs/a.txt", "logs/l.txt=-> a.txt", "logs/ll.txt=-> l.txt"), input: names("logs"), want: names("logs/a.txt")},
	{row: "a link to a file", kinds: "file", objects: names("logs/a.dat", "logs/l.txt=-> a.dat"), input: names("logs/*.txt"), want: names("logs/a.dat")},
	{row: "a link to a file", kinds: "file", objects: names("logs/a.txt", "more/b.txt", "logs/l.txt=-> ../more/b.txt"), input: names("logs/l.txt"), want: names("more/b.txt")},
	{row: "a link to a directory", kinds: "file", objects: names("logs/a/x.txt", "logs/b=-> a", "logs/a/up=-> ..", "logs/self=-> ."), input: names("logs"), want: names("logs/a/x.txt")},
	{row: "a link to a directory", kinds: "file", objects: names("logs/.v2/x.txt", "logs/current=-> .v2"), input: names("logs"), want: names("logs/.v2/x.txt"), leftOut: "1 object or directory whose name begins with _ or ."},
	{row: "a link to a directory", kinds: "file", objects: names("logs/a/deep/x.txt", "logs/b=-> a/deep"), input: names("logs/*/x.txt"), want: names("logs/a/deep/x.txt")},
	{row: "a link to a directory", kinds: "file", objects: names("logs/a/x.txt", "logs/p=-> a", "logs/q=-> a"), input: names("logs/**/q/*.txt"), want: names("logs/a/x.txt")},
	{row: "a link that leads out", kinds: "file", objects: names("logs/a.txt", "more/b.txt", "logs/l.txt=-> ../more/b.txt"), input: names("logs"), says: "a symbolic link leads out of the directory that is read"},
	{row: "a link that leads out", kinds: "file", objects: names("logs/a.txt", "more/b.txt", "logs/l=-> ../more"), input: names("logs"), says: "a symbolic link leads out of the directory that is read"},
	{row: "a link that leads out", kinds: "file", objects: names("logs/a.txt", "more/b.dat", "logs/l=-> ../more", "logs/.m=-> ../more", "logs/n=-> ../more/b.dat"), input: names("logs/*.txt"), want: names("logs/a.txt")},
	{row: "a link that leads out", kinds: "file", objects: names("logs/a.txt", "more/b.dat", "logs/n=-> ../more/b.dat"), input: names("logs/**/*.txt"), want: names("logs/a.txt")},
	{row: "a link that leads nowhere", kinds: "file", objects: names("logs/a.txt", "logs/dead=-> none", "logs/.hidden=-> none", "logs/circle=-> circle"), input: names("logs"), want: names("logs/a.txt"),
		leftOut: "1 object or directory whose name begins with _ or ., 2 symbolic links that lead nowhere"},
	{row: "a link that leads nowhere", kinds: "file", objects: names("logs/a.txt", "logs/dead=-> none"), input: names("logs/*.txt"), want: names("logs/a.txt")},
	{row: "a pipe, socket or device", kinds: "file", objects: names("logs/a.txt", "logs/p=pipe"), input: names("logs"), want: names("logs/a.txt"), leftOut: "1 pipe, socket or device"},
	{row: "a pipe, socket or device", kinds: "file", objects: names("logs/a.txt", "logs/p=pipe"), input: names("logs/p"), says: "it is a pipe, which can be read only once"},
	{row: "a name that is not UTF-8", kinds: "file", objects: names("logs/bad\xff.txt", "logs/\xfe/b"), input: names("logs"), want: names("logs/bad\xff.txt", "logs/\xfe/b")},
	{row: "a name that is not UTF-8", kinds: "file", objects: names("logs/bad\xff.txt", "logs/\xfe/b"), input: names("logs/*\xff.txt"), want: names("logs/bad\xff.txt")},
}

// TestTableOfInputs verifies that each name in the table of docs/cli.md reads what the
// table says: on files, in memory and in buckets; planned, in one process, and as a
// cluster's workers and job processes do it; with the same objects, the same counts of
// what is left out, and the same words when it is refused.
func TestTableOfInputs(t *testing.T) {
	t.Parallel()
	for kind, open := range places {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for n := range cases {
				c := &cases[n]
				if c.kinds != "" && !strings.Contains(" "+c.kinds+" ", " "+kind+" ") {
					continue
				}
				t.Run(fmt.Sprintf("%d %q", n, c.input), func(t *testing.T) {
					t.Parallel()
					p := open(t)
					for _, o := range c.objects {
						key, body, other := strings.Cut(o, "=")
						if strings.Contains(o, "_year=2026/") {
							key, other = o, false
						}
						if !other {
							body = key + "\n"
						}
						p.put(t, key, body)
					}
					c.check(t, p)
				})
			}
		})
	}
}

// check reads a case in all ways.
func (c *reads) check(t *testing.T, p *place) {
	t.Helper()
	var input []string
	for _, name := range c.input {
		input = append(input, p.input(name))
	}
	out := filepath.Join(t.TempDir(), "out")
	if c.out != "" {
		out = p.input(c.out)
	}
	var want []string
	for _, key := range c.want {
		want = append(want, key)
	}
	slices.Sort(want)
	o := embedded.Options{Input: input, Output: out, Slots: 1, Stores: p.opts}
	looked, err := embedded.Look(t.Context(), copying(), o)
	planned := c.judge(t, p, "plan", err)
	if err == nil && (looked.Objects != len(want) || looked.LeftOut.String() != c.leftOut) {
		t.Errorf("plan: %d objects, and leaves out %q", looked.Objects, looked.LeftOut)
	}
	got, leftOut, err := onCluster(t, p, input, out)
	if text := c.judge(t, p, "a cluster", err); text != planned {
		t.Errorf("a cluster says %q, and plan %q", text, planned)
	}
	if err == nil && (!slices.Equal(got, want) || leftOut.String() != c.leftOut) {
		t.Errorf("a cluster reads %q and leaves out %q, want %q and %q", got, leftOut, want, c.leftOut)
	}
	if c.out != "" && strings.HasPrefix(p.url, "s3://in") {
		return // the server does not create objects once
	}
	result, err := embedded.Run(t.Context(), copying(), o)
	if text := c.judge(t, p, "run", err); text != planned {
		t.Errorf("run says %q, and plan %q", text, planned)
	}
	if err != nil {
		return
	}
	if result.LeftOut.String() != c.leftOut {
		t.Errorf("run leaves out %q, want %q", result.LeftOut, c.leftOut)
	}
	if c.out == "" {
		var all []byte
		for _, part := range result.Manifest.Parts {
			b, err := os.ReadFile(filepath.Join(out, part.Name))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		if got := keysIn(string(all)); !slices.Equal(got, want) {
			t.Errorf("run reads %q, want %q", got, want)
		}
	}
}

// judge compares an error with the one of the case, and returns its words without what
// differs: the query of URLs.
func (c *reads) judge(t *testing.T, p *place, who string, err error) string {
	t.Helper()
	if c.says == "" && err == nil {
		return ""
	}
	if err == nil || c.says == "" || !strings.Contains(err.Error(), c.says) {
		t.Errorf("%s: %v, want %q", who, err, c.says)
		return ""
	}
	if kind := plan.KindOf(err); kind != plan.Invalid && kind != plan.NotFound {
		t.Errorf("%s: %v is of kind %v", who, err, kind)
	}
	text := err.Error()
	if p.query != "" {
		text = strings.ReplaceAll(text, p.query, "")
		if i := strings.Index(text, "?"); i >= 0 { // the public part of it
			text = text[:i] + text[i+strings.IndexAny(text[i:], " ;")+0:]
		}
	}
	return strings.ReplaceAll(text, "file://", "")
}

// copying is a job that copies lines.
func copying() *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Write(text.Lines{})
		return nil
	})
}

// keysIn returns the lines of a text, in order.
func keysIn(text string) []string {
	keys := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(keys)
	return keys
}

// onCluster plans as a worker does, below what an operator allows, and reads the objects
// as a job process does, through a relay.
func onCluster(t *testing.T, p *place, input []string, out string) (keys []string, leftOut plan.LeftOut, err error) {
	t.Helper()
	bare := slices.Clone(input)
	for i := range bare {
		bare[i] = strings.TrimSuffix(bare[i], p.query)
	}
	allowed := []string{p.url + p.query}
	if !strings.HasPrefix(out, p.url) {
		allowed = append(allowed, filepath.Dir(out))
	}
	roots, err := allow.New(allowed, p.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer roots.Close()
	codecs, err := planner.ParseCodecs("", "", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := copying().Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := planner.Make(t.Context(), planner.Of(pipe), planner.Request{Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Input: bare, Output: strings.TrimSuffix(out, p.query), Slots: 1,
		Memory: planner.Memory{Bytes: 1 << 30, Attempts: 1}, Codecs: codecs}, roots, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, plan.LeftOut{}, err
	}
	body, err := table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if table, err = attempts.DecodeTable(body); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, split := range table.Splits {
		for _, section := range split.Sections {
			all.Write(throughRelay(t, roots, section.Object))
		}
	}
	return keysIn(all.String()), table.LeftOut, nil
}

// throughRelay reads an object as a job process does that may read this one alone.
func throughRelay(t *testing.T, roots *allow.List, o plan.Object) []byte {
	t.Helper()
	root, err := roots.Opened(o.Root)
	if err != nil {
		t.Fatal(err)
	}
	ours, file, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := relay.Inherited(file)
	if err != nil {
		t.Fatal(err)
	}
	object := store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag}
	cfg := relay.Config{Token: bytes.Repeat([]byte("t"), relay.TokenSize), Roots: map[string]*store.Root{"in": root},
		Policy: relay.NewPolicy(map[string]relay.Grant{"in": {Inputs: []store.Object{object}}})}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- relay.Serve(ctx, ours, cfg) }()
	client, err := relay.Connect(ctx, theirs, cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = client.Close()
		<-ended
	}()
	seen, err := client.Open(ctx, "in", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := seen.OpenKnown(ctx, object)
	if err != nil {
		t.Errorf("%q: %v", o.Key, err)
		return nil
	}
	defer h.Close()
	b, err := io.ReadAll(h.Stream(ctx, 0, -1))
	if err != nil {
		t.Errorf("%q: %v", o.Key, err)
	}
	return b
}

// TestTableOfInputsIsDocumented verifies that the table in docs/cli.md has the rows that
// TestTableOfInputs holds, and no others.
func TestTableOfInputsIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "<!-- held by integration: TestTableOfInputs -->\n")
	table, _, closed := strings.Cut(table, "<!-- end -->")
	if !found || !closed {
		t.Fatal("docs/cli.md has no table of inputs")
	}
	documented, tested := map[string]bool{}, map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if ok && name != "name" {
			documented[strings.ReplaceAll(name, "`", "")] = true
		}
	}
	for i := range cases {
		tested[cases[i].row] = true
		if !documented[cases[i].row] {
			t.Errorf("docs/cli.md lacks %q", cases[i].row)
		}
	}
	for row := range documented {
		if !tested[row] {
			t.Errorf("no case holds the row %q of docs/cli.md", row)
		}
	}
}

// TestCommittedPartsByALink verifies that of an output to which a link leads only the
// committed parts are read, as of one that is named.
func TestCommittedPartsByALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, plain, "run", "wordcount", "--input", file(t, "in.txt", "committed\n"), "--out", filepath.Join(dir, ".v1"))
	if err := os.Symlink(".v1", filepath.Join(dir, "current")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".v1", "part-r-00001-stray000.0.tsv"), []byte("stray\t1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{filepath.Join(dir, "*", "part-*"), filepath.Join(dir, "current"), dir} {
		out := filepath.Join(t.TempDir(), "out")
		must(t, plain, "run", "grep", "--pattern", ".", "--input", in, "--out", out)
		if got := must(t, plain, "cat", out); got != "committed\t1\n" {
			t.Errorf("%s reads %q", in, got)
		}
	}
}
