// Package api records the Go API that users may rely on, and says of every other
// package that it may change. next.txt has a line for each exported name, in the
// form of the files in Go's own folder api; `make api` rewrites it. Its tests are
// all there is.
package api

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/windrow-mr/windrow"
	file   = "next.txt"
	// engineSays ends the comment of each package of the engine.
	engineSays = "It is part of the engine, and may change between minor versions."
)

var update = flag.Bool("update", false, "write next.txt")

// users are the packages for users.
var users = []string{
	".", "client", "jobs", "jobs/codec", "jobs/formats/arrow", "jobs/formats/avro", "jobs/formats/csv", "jobs/formats/fixed", "jobs/formats/jsonl", "jobs/formats/lengths", "jobs/formats/object", "jobs/formats/parquet", "jobs/formats/text", "jobs/jobstest", "jobs/sketch", "output", "plan", "schedule",
	"store", "store/azure", "store/driver", "store/fault", "store/file", "store/gcs", "store/mem", "store/s3", "store/storetest",
}

// others are folders whose packages are neither for users nor of the engine:
// programs, built-in jobs, and packages that only tests import.
var others = []string{"api", "bench", "cmd", "docs", "integration", "jobs/library"}

// TestAPI verifies that next.txt lists the API, so that a change of the API is
// seen and meant. With -update it writes the file.
func TestAPI(t *testing.T) {
	t.Parallel()
	sources(t)
	got := strings.Join(api(t), "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(string(text), got); diff != "" {
		t.Errorf("the API is not the one of api/%s:\n%s\nif that is on purpose: make api", file, diff)
	}
}

// TestDifference verifies that lines that were added and removed are shown.
func TestDifference(t *testing.T) {
	t.Parallel()
	if d := difference("a\nb\nc\n", "a\nc\nd\n"); d != "-b\n+d\n" {
		t.Errorf("the difference is %q", d)
	}
	if d := difference("a\n", "a\n"); d != "" {
		t.Errorf("equal texts differ by %q", d)
	}
}

// TestEngineSaysSo verifies that the comment of each package that is not for users
// says so to a reader of its documentation.
func TestEngineSaysSo(t *testing.T) {
	t.Parallel()
	comments := sources(t)
	engine := 0
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		below := func(folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }
		switch {
		case slices.Contains(users, dir), slices.ContainsFunc(others, below):
			continue
		case slices.Contains(strings.Split(dir, "/"), "internal"), strings.HasSuffix(dir, "test"), strings.HasPrefix(comments[dir], "Command "):
			continue
		}
		engine++
		if !strings.HasSuffix(strings.Join(strings.Fields(comments[dir]), " "), engineSays) {
			t.Errorf("the comment of package %s does not end with %q", dir, engineSays)
		}
	}
	if engine < 20 {
		t.Errorf("only %d packages of the engine were found", engine)
	}
}

// sources reads all files of the repository that are not tests, and returns the
// comment of each package by its folder. The go command keeps the result of a test
// until a file changes that the test itself has read.
func sources(t *testing.T) map[string]string {
	t.Helper()
	comments := make(map[string]string)
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{"testdata", "bin", "out"}, d.Name()) || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return fs.SkipDir
		case d.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel("..", filepath.Dir(name))
		if err != nil {
			return err
		}
		comments[filepath.ToSlash(dir)] += parsed.Doc.Text()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return comments
}

// api returns the lines of all packages for users, in order.
func api(t *testing.T) (lines []string) {
	t.Helper()
	paths := make([]string, 0, len(users))
	for _, dir := range users {
		if _, err := build.ImportDir(filepath.Join("..", filepath.FromSlash(dir)), 0); err == nil {
			paths = append(paths, path.Join(module, dir))
		}
	}
	exports := exported(t, paths)
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(name string) (io.ReadCloser, error) {
		if exports[name] == "" {
			return nil, fmt.Errorf("package %s is not compiled", name)
		}
		return os.Open(exports[name])
	})
	for _, name := range paths {
		p, err := imports.Import(name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, describe(p)...)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// exported compiles packages for Linux, and returns the files that describe them
// and all that they import.
func exported(t *testing.T, paths []string) map[string]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, paths...)...)
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := list.Output()
	if err != nil {
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		t.Fatal(err)
	}
	exports := make(map[string]string)
	for line := range bytes.Lines(out) {
		name, export, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\t")
		exports[name] = export
	}
	return exports
}

// describer writes the lines of one package.
type describer struct {
	pkg   *types.Package
	lines []string
}

func describe(p *types.Package) []string {
	d := describer{pkg: p}
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch o := object.(type) {
		case *types.Const:
			d.constant(o)
		case *types.Var:
			d.add("var %s %s", name, d.text(o.Type()))
		case *types.Func:
			d.add("func %s%s", name, d.signature(o.Signature()))
		case *types.TypeName:
			d.typeName(o)
		}
	}
	return d.lines
}

func (d *describer) add(format string, args ...any) {
	d.lines = append(d.lines, "pkg windrow"+strings.TrimPrefix(d.pkg.Path(), module)+", "+fmt.Sprintf(format, args...))
}

// text returns a type as a file of the package would write it.
func (d *describer) text(t types.Type) string {
	if s, ok := types.Unalias(t).(*types.Signature); ok {
		return "func" + d.signature(s)
	}
	return types.TypeString(t, d.qualify)
}

func (d *describer) qualify(p *types.Package) string {
	if p == d.pkg {
		return ""
	}
	return p.Name()
}

func (d *describer) constant(c *types.Const) {
	value := c.Val().ExactString()
	if c.Val().Kind() == constant.Float {
		value = c.Val().String()
	}
	if basic, ok := c.Type().(*types.Basic); ok && basic.Info()&types.IsUntyped != 0 {
		d.add("const %s = %s", c.Name(), value)
		return
	}
	d.add("const %s %s = %s", c.Name(), d.text(c.Type()), value)
}

// signature returns type parameters, parameters and results, without names.
func (d *describer) signature(s *types.Signature) string {
	in := make([]string, s.Params().Len())
	for i := range in {
		in[i] = d.text(s.Params().At(i).Type())
		if s.Variadic() && i == len(in)-1 {
			in[i] = "..." + strings.TrimPrefix(in[i], "[]")
		}
	}
	out := make([]string, s.Results().Len())
	for i := range out {
		out[i] = d.text(s.Results().At(i).Type())
	}
	text := d.parameters(s.TypeParams()) + "(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return text
	case 1:
		return text + " " + out[0]
	default:
		return text + " (" + strings.Join(out, ", ") + ")"
	}
}

func (d *describer) parameters(list *types.TypeParamList) string {
	if list.Len() == 0 {
		return ""
	}
	all := make([]string, list.Len())
	for i := range all {
		all[i] = list.At(i).Obj().Name() + " " + d.text(list.At(i).Constraint())
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (d *describer) typeName(o *types.TypeName) {
	named, ok := types.Unalias(o.Type()).(*types.Named)
	if o.IsAlias() {
		d.add("type %s = %s", o.Name(), d.text(types.Unalias(o.Type())))
	}
	if !ok || o.IsAlias() && !hidden(named.Obj().Pkg()) {
		return
	}
	name := o.Name() + d.parameters(named.TypeParams())
	switch u := named.Underlying().(type) {
	case *types.Struct:
		d.add("type %s struct", name)
		d.fields(o.Name(), u)
	case *types.Interface:
		d.methodsOf(name, o.Name(), u)
		return
	default:
		d.add("type %s %s", name, d.text(u))
	}
	d.methods(o.Name(), named)
}

// hidden reports whether a package is one of this module that is not for users:
// an alias of its type is then the only place where users find that.
func hidden(p *types.Package) bool {
	if p == nil {
		return false
	}
	dir, own := strings.CutPrefix(p.Path(), module+"/")
	return own && !slices.Contains(users, dir)
}

// fields lists the exported fields of a struct.
func (d *describer) fields(name string, s *types.Struct) {
	for f := range s.Fields() {
		switch {
		case !f.Exported():
		case f.Embedded():
			d.add("type %s struct, embedded %s", name, d.text(f.Type()))
		default:
			d.add("type %s struct, %s %s", name, f.Name(), d.text(f.Type()))
		}
	}
}

// methodsOf lists the methods of an interface.
func (d *describer) methodsOf(full, name string, i *types.Interface) {
	var names []string
	for m := range i.Methods() {
		if !m.Exported() {
			names = append(names, "unexported methods")
			continue
		}
		names = append(names, m.Name())
		d.add("type %s interface, %s%s", name, m.Name(), d.signature(m.Signature()))
	}
	if names == nil {
		d.add("type %s %s", full, d.text(i))
		return
	}
	d.add("type %s interface { %s }", full, strings.Join(slices.Compact(names), ", "))
}

// methods lists the exported methods of a type, also those that it has from fields
// that are embedded.
func (d *describer) methods(name string, named *types.Named) {
	byValue := types.NewMethodSet(named)
	all := types.NewMethodSet(types.NewPointer(named))
	for m := range all.Methods() {
		f, ok := m.Obj().(*types.Func)
		if !ok || !f.Exported() {
			continue
		}
		receiver := "*" + name
		if byValue.Lookup(f.Pkg(), f.Name()) != nil {
			receiver = name
		}
		d.add("method (%s) %s%s", receiver, f.Name(), d.signature(f.Signature()))
	}
}

// difference returns the lines that only old or only updated has, with - or + before
// them. Both are sorted.
func difference(old, updated string) string {
	before, after := slices.Collect(strings.Lines(old)), slices.Collect(strings.Lines(updated))
	var b strings.Builder
	for _, line := range before {
		if _, found := slices.BinarySearch(after, line); !found {
			b.WriteString("-" + line)
		}
	}
	for _, line := range after {
		if _, found := slices.BinarySearch(before, line); !found {
			b.WriteString("+" + line)
		}
	}
	return b.String()
}
