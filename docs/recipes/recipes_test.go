// Package recipes_test has the jobs of docs/recipes.md, as examples.
package recipes_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
	"github.com/windrow-mr/windrow/store"
)

// Inputs are the lines of each input of a job, by its name.
type Inputs = map[string][]string

// show runs a job over the lines of its only input and prints its output.
func show(job *jobs.Job, lines ...string) { showInputs(job, Inputs{"": lines}) }

// recorded receives the jobs of examples in place of running them; see record.
var recorded func(job *jobs.Job, in Inputs)

// showInputs runs a job on the engine, in memory, and prints its output. An input is
// divided among several tasks. There is one partition, so that the output has one order.
func showInputs(job *jobs.Job, in Inputs) {
	if recorded != nil {
		recorded(job, in)
		return
	}
	text, err := outputOf(context.Background(), job, in)
	if err != nil {
		text = err.Error()
	}
	fmt.Print(text)
}

// outputOf returns the output of a job, and the name of each of several outputs before
// its lines.
func outputOf(ctx context.Context, job *jobs.Job, in Inputs) (string, error) {
	o := windrow.Options{Output: "mem://out", Partitions: 1, SplitSize: 40, Slots: 2, Stores: store.Options{Mem: new(store.MemSpace)}}
	input, err := store.Open(ctx, "mem://in", o.Stores)
	if err != nil {
		return "", err
	}
	defer input.Close()
	for name, lines := range in {
		key := "lines-" + name
		if err := input.Put(ctx, key, []byte(strings.Join(lines, "\n")+"\n"), store.Scratch); err != nil {
			return "", err
		}
		url := "mem://in/" + key
		if name != "" {
			url = name + "=" + url
		}
		o.Input = append(o.Input, url)
	}
	outputs, err := run(ctx, job, o)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		if name != "" {
			fmt.Fprintf(&b, "%s:\n", name)
		}
		b.Write(outputs[name])
	}
	return b.String(), nil
}

// run runs a job and returns the text of each of its outputs by its name, which is "" if
// there is only one.
func run(ctx context.Context, job *jobs.Job, o windrow.Options) (map[string][]byte, error) {
	result, err := windrow.Run(ctx, job, o)
	if err != nil {
		return nil, err
	}
	root, err := store.Open(ctx, o.Output, o.Stores)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	outputs := map[string][]byte{}
	for _, part := range result.Manifest.Parts {
		body, err := root.Get(ctx, part.Name, part.Size)
		if err != nil {
			return nil, err
		}
		name, _, named := strings.Cut(part.Name, "/")
		if !named {
			name = ""
		}
		outputs[name] = append(outputs[name], body...)
	}
	return outputs, nil
}

// record returns the job of an example, and what it reads. Tests call it before they run
// in parallel.
func record(example func()) (job *jobs.Job, inputs Inputs) {
	recorded = func(j *jobs.Job, in Inputs) { job, inputs = j, in }
	defer func() { recorded = nil }()
	example()
	return job, inputs
}

// TestStrict verifies that the output of no recipe depends on how the work is divided.
func TestStrict(t *testing.T) { //nolint:paralleltest // examples are recorded one after the other
	functions := examples(t)
	for name, example := range recipes {
		if functions[name] == "" {
			t.Errorf("there is no example %s", name)
		}
		job, in := record(example)
		var options []jobstest.Option
		for _, input := range slices.Sorted(maps.Keys(in)) {
			options = append(options, jobstest.File(input, "lines", strings.Join(in[input], "\n")+"\n"))
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobstest.Run(t, job, append(options, jobstest.Strict())...)
		})
	}
	if len(functions) != len(recipes) {
		t.Errorf("there are %d examples, and %d in the list of recipes", len(functions), len(recipes))
	}
}

const mostLines = 40 // of a recipe

var rewrite = flag.Bool("rewrite", false, "write the code into docs/recipes.md")

// TestDocument verifies that docs/recipes.md has each example, as it is here, once. With
// -rewrite it writes them.
func TestDocument(t *testing.T) {
	t.Parallel()
	functions := examples(t)
	for name, text := range functions {
		if n := strings.Count(text, "\n"); n > mostLines {
			t.Errorf("%s has %d lines, more than %d", name, n, mostLines)
		}
		if !strings.Contains(text, "// Output:") {
			t.Errorf("%s has no output, so it does not run", name)
		}
	}
	const page = "../recipes.md"
	document, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	block := regexp.MustCompile("(?s)```go\nfunc (Example_\\w+)\\(\\).*?```")
	want := block.ReplaceAllFunc(document, func(b []byte) []byte {
		name := string(block.FindSubmatch(b)[1])
		seen[name]++
		return []byte("```go\n" + functions[name] + "```")
	})
	for name := range functions {
		if seen[name] != 1 {
			t.Errorf("the document has %s %d times, want once", name, seen[name])
		}
	}
	for name := range seen {
		if functions[name] == "" {
			t.Errorf("the document has %s, which does not exist", name)
		}
	}
	switch {
	case *rewrite:
		err = os.WriteFile(page, want, 0o600)
	case !bytes.Equal(document, want):
		t.Errorf("%s is not the code: go test ./docs/recipes -run TestDocument -rewrite", page)
	}
	if err != nil {
		t.Error(err)
	}
}

// examples returns the texts of all examples of this folder.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				found[f.Name.Name] = string(text[set.Position(f.Pos()).Offset:set.Position(f.End()).Offset]) + "\n"
			}
		}
	}
	return found
}
