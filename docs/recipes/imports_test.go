package recipes_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/store"
)

// TestImports verifies that a job finds what the packages of Go's standard library import
// as the go command does, that the recipe for PageRank ranks them as a dense power
// iteration does, and that the recipe for connected components finds those of union-find.
func TestImports(t *testing.T) {
	pageRank, _ := record(Example_pageRank)
	components, _ := record(Example_connectedComponents)
	t.Parallel()
	imports := listedImports(t)
	o, pages := importsByJob(t)
	if !maps.EqualFunc(pages, imports, slices.Equal) {
		for name := range imports {
			if !slices.Equal(pages[name], imports[name]) {
				t.Errorf("%s imports %v by the job, %v by the go command", name, pages[name], imports[name])
			}
		}
		t.Errorf("the job finds %d packages, the go command %d", len(pages), len(imports))
	}
	t.Run("pageRank", func(t *testing.T) {
		t.Parallel()
		testPageRank(t, pageRank, o, imports)
	})
	t.Run("components", func(t *testing.T) {
		t.Parallel()
		testComponents(t, components, o, "edges", unionFind(imports, len(imports)), 2)
	})
	// Without the imports that many have, the graph falls into many components.
	t.Run("rare", func(t *testing.T) {
		t.Parallel()
		testComponents(t, components, o, "rare", unionFind(imports, rare), 10)
	})
}

func testPageRank(t *testing.T, job *jobs.Job, o windrow.Options, imports map[string][]string) {
	t.Helper()
	want := powerIteration(imports)
	o.Params = map[string]string{"rounds": "500", "digits": "12"} // it ends when ranks hardly move
	got := linesOf(t, job, o, "pages")
	if len(got) != len(want) {
		t.Errorf("%d pages have a rank, want %d", len(got), len(want))
	}
	for _, line := range got {
		name, digits, _ := strings.Cut(line, "\t")
		rank, err := strconv.ParseFloat(digits, 64)
		if w, ok := want[name]; err != nil || !ok || math.Abs(rank-w) > 1e-9 {
			t.Errorf("%q, want the rank %.12f", line, w)
		}
	}
}

// powerIteration returns the rank of each page. The matrix has a cell for every two pages.
func powerIteration(links map[string][]string) map[string]float64 {
	names := slices.Sorted(maps.Keys(links))
	number := map[string]int{}
	matrix, ranks := make([][]float64, len(names)), make([]float64, len(names))
	for i, name := range names {
		number[name], matrix[i], ranks[i] = i, make([]float64, len(names)), 1
	}
	for from, all := range links {
		for _, to := range all {
			matrix[number[to]][number[from]] = 1 / float64(len(all))
		}
	}
	for change := 1.0; change > 1e-12; {
		change = 0
		next := make([]float64, len(names))
		for i, row := range matrix {
			for j, share := range row {
				next[i] += share * ranks[j]
			}
			next[i] = 0.15 + 0.85*next[i]
			change = max(change, math.Abs(next[i]-ranks[i]))
		}
		ranks = next
	}
	found := map[string]float64{}
	for i, name := range names {
		found[name] = ranks[i]
	}
	return found
}

// testComponents compares with the lines of union-find, which must have at least so many
// components: less would show little.
func testComponents(t *testing.T, job *jobs.Job, o windrow.Options, input string, want []string, least int) {
	t.Helper()
	o.Params = nil
	got := linesOf(t, job, o, input)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	different := map[string]bool{}
	for _, line := range want {
		_, name, _ := strings.Cut(line, " is with ")
		different[name] = true
	}
	if len(different) < least {
		t.Errorf("the graph has %d components, want at least %d", len(different), least)
	}
}

// unionFind returns, in order, a line for each package with an edge: it is with the least
// package of its component. Imports of packages with more than so many importers are no
// edges.
func unionFind(imports map[string][]string, most int) []string {
	importers := map[string]int{}
	for _, all := range imports {
		for _, p := range all {
			importers[p]++
		}
	}
	parent := map[string]string{}
	find := func(p string) string {
		for {
			up, ok := parent[p]
			if !ok || up == p {
				parent[p] = p
				return p
			}
			p = up
		}
	}
	for from, all := range imports {
		for _, to := range all {
			if importers[to] > most {
				continue
			}
			a, b := find(from), find(to)
			parent[max(a, b)] = min(a, b) // so the root is the least
		}
	}
	var lines []string
	for p := range parent {
		lines = append(lines, p+" is with "+find(p))
	}
	slices.Sort(lines)
	return lines
}

// listedImports returns what each package of the standard library imports, by the go
// command.
func listedImports(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports", "std")
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string][]string{}
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = slices.Sorted(slices.Values(p.Imports))
	}
}

// rare is the number of importers up to which an import is in the output of that name.
const rare = 3

// importGraph reads the sources of Go's standard library. The output pages has a line for
// each package with all that it imports. The output edges has a line for each import, and
// the output rare those of packages with few importers.
var importGraph = jobs.Define("imports", struct{ Root string }{}, func(p *jobs.Pipeline, a struct{ Root string }) error {
	files := jobs.Read(p, wholeFiles{})
	found := jobs.Map(files, func(ctx *jobs.Context, source []byte, emit jobs.Emit[string, []string]) error {
		name, err := filepath.Rel(a.Root, strings.TrimPrefix(ctx.Position().Object, "file://"))
		if err != nil {
			return err
		}
		of, imports, err := importsOf(filepath.ToSlash(name), source)
		if of != "" {
			emit(of, imports)
		}
		return err
	})
	type imports = jobs.Pair[string, []string]
	packages := jobs.Convert(found.Fold(func(a, b []string) []string { return append(a, b...) }), func(p imports) imports {
		slices.Sort(p.Value)
		return imports{Key: p.Key, Value: slices.Compact(p.Value)}
	})
	jobs.Convert(packages, func(p imports) string { return p.Key + " " + strings.Join(p.Value, " ") }).WriteTSV().Named("pages")
	edges := jobs.Map(packages, func(_ *jobs.Context, p imports, emit jobs.Emit[string, string]) error {
		for _, to := range p.Value {
			emit(to, p.Key)
		}
		return nil
	})
	all := jobs.Output(p, "edges", text.TSV[string]{})
	jobs.Reduce(edges, func(ctx *jobs.Context, to string, from iter.Seq[string], emit func(string)) error {
		importers := slices.Collect(from)
		for _, of := range importers {
			all.Emit(ctx, of+" "+to)
			if len(importers) <= rare {
				emit(of + " " + to)
			}
		}
		return nil
	}).WriteTSV().Named("rare")
	return nil
})

// importsOf returns the package of a source file and what the file imports, or "" if the
// file is not compiled into the standard library here.
func importsOf(name string, source []byte) (of string, imports []string, err error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	elements := strings.Split(dir, "/")
	if elements[0] == "cmd" || dir == "builtin" || dir == "runtime/cgo" || slices.Contains(elements, "testdata") {
		return "", nil, nil
	}
	here := build.Default
	here.CgoEnabled = false
	here.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(source)), nil }
	if match, err := here.MatchFile(dir, base); err != nil || !match {
		return "", nil, err
	}
	if strings.HasSuffix(base, "_test.go") { // some packages have nothing else
		return dir, nil, nil
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return "", nil, err
	}
	for _, spec := range parsed.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil || to == "C" { // that needs cgo
			return "", nil, err
		}
		if first, _, _ := strings.Cut(to, "/"); strings.Contains(first, ".") {
			to = "vendor/" + to
		}
		imports = append(imports, to)
	}
	return dir, imports, nil
}

// wholeFiles is the format of inputs whose records are whole objects.
type wholeFiles struct{}

func (wholeFiles) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return []jobs.Section{{Object: obj, Length: obj.Size}}, nil
}

func (wholeFiles) Scan(ctx *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	body, err := s.Open(ctx, 0)
	if err != nil {
		return err
	}
	whole, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read %s: %w", s.Where(0), err)
	}
	s.At(0)
	return yield(whole)
}

// importsByJob runs importGraph. It returns what each package imports, and options for
// jobs that read its outputs, which are in mem://imports.
func importsByJob(t *testing.T) (windrow.Options, map[string][]string) {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env GOROOT: %v", err)
	}
	sources := filepath.Join(strings.TrimSpace(string(root)), "src")
	o := windrow.Options{Output: "mem://imports", Stores: store.Options{Mem: new(store.MemSpace)}, Partitions: 2, Slots: 2}
	o.Input, o.Params = []string{sources + "/**/*.go"}, map[string]string{"root": sources}
	outputs, err := run(t.Context(), importGraph, o)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string][]string{}
	for line := range strings.Lines(string(outputs["pages"])) {
		fields := strings.Fields(line)
		pages[fields[0]] = fields[1:]
	}
	return o, pages
}

// linesOf runs a job on an output of importGraph and returns the lines of its output.
func linesOf(t *testing.T, job *jobs.Job, o windrow.Options, input string) []string {
	t.Helper()
	o.Input, o.Output = []string{"mem://imports/" + input}, "mem://results/"+t.Name()
	outputs, err := run(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(outputs[""]), "\n"), "\n")
}
