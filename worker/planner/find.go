package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/planner/splits"
)

// resolve finds the objects of every input of the job.
func (m *maker) resolve(ctx context.Context) error {
	job := &m.job
	given := make(map[string][]string)
	for _, u := range m.req.Input {
		name, url := splitName(job, u)
		if !slices.ContainsFunc(job.Inputs, func(in Input) bool { return in.Name == name }) {
			if name == "" {
				return invalidf("--input %s has no name: job %s reads %s, so write --input NAME=%s", u, job.Name, inputNames(job), url)
			}
			return invalidf("job %s has no input named %q (for %s); it has %s", job.Name, name, url, inputNames(job))
		}
		given[name] = append(given[name], url)
	}
	m.inputs = make([]splits.Input, len(job.Inputs))
	for i := range job.Inputs {
		in := &job.Inputs[i]
		urls := given[in.Name]
		switch {
		case in.Generate != nil && len(urls) > 0:
			return invalidf("job %s makes its own input: leave --input out", job.Name)
		case in.Generate != nil:
			sections, err := in.Generate(ctx, m.req.Slots)
			if err != nil {
				return err
			}
			for _, s := range sections {
				m.generated = append(m.generated, plan.Split{Input: i, Sections: []plan.Section{s}})
			}
			continue
		case len(urls) == 0:
			return missingInput(job, in.Name)
		}
		objects, err := m.objects(ctx, in, urls)
		if err != nil {
			return err
		}
		m.inputs[i].Objects = objects
		if in.Cut != nil {
			m.inputs[i].Cut = func(o plan.Object, target int64) ([]plan.Section, error) { return in.Cut(ctx, o, target) }
		}
	}
	return nil
}

// Find returns the objects that the URLs of an input name, as a job would read them: those
// of an output that are committed, in order of their names.
func Find(ctx context.Context, urls []string, roots store.Roots) ([]plan.Object, error) {
	m := &maker{req: &Request{}, roots: roots}
	return m.objects(ctx, new(Input), urls)
}

// splitName separates the name of an input from its URL. If the only input of
// the job has no name, the whole text is the URL.
func splitName(job *Job, s string) (name, url string) {
	if len(job.Inputs) == 1 && job.Inputs[0].Name == "" {
		return "", s
	}
	return plan.ParseInput(s)
}

func missingInput(job *Job, name string) error {
	if name == "" {
		return invalidf("job %s has no input: give it with --input", job.Name)
	}
	return invalidf("job %s has no input named %q: give it with --input %s=URL", job.Name, name, name)
}

func inputNames(job *Job) string {
	var names []string
	for i := range job.Inputs {
		if job.Inputs[i].Name == "" {
			return "one input without a name"
		}
		names = append(names, job.Inputs[i].Name)
	}
	return strings.Join(names, ", ")
}

// objects returns the objects that URLs name, in order of their keys.
func (m *maker) objects(ctx context.Context, in *Input, urls []string) ([]plan.Object, error) {
	var objects []plan.Object
	seen := make(map[string]bool)
	for _, u := range urls {
		rootURL, key, err := m.roots.Locate(u)
		if err != nil {
			return nil, err
		}
		missing := &Error{plan.NotFound, fmt.Errorf("input %s: there is no such object, directory or prefix", u)}
		root, err := m.roots.Get(ctx, rootURL, false)
		if plan.KindOf(err) == plan.NotFound {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		_, query, _ := strings.Cut(rootURL, "?")
		if query != "" && !strings.HasPrefix(rootURL, "file:") {
			query = "?" + query
		} else {
			query = ""
		}
		f := &find{maker: m, root: root, query: query, outputs: make(map[string]bool), dirs: make(map[string]bool)}
		found, err := f.named(ctx, key)
		if errors.Is(err, errMissing) {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		m.leftOut = m.leftOut.Plus(f.leftOut)
		if len(found) == 0 {
			return nil, &Error{plan.NotFound, fmt.Errorf("input %s holds no objects%s", u, notCounted(f.leftOut))}
		}
		// Links can give a directory several names.
		place := canonical(root.Name("")) + "/"
		for _, o := range found {
			if o.Key == "" {
				return nil, invalidf("input %s: the object %s has the name of a directory, and %d bytes: give it another name", u, root.Name(""), o.Size)
			}
			if f.isMark(o) {
				continue
			}
			object := plan.Object{Input: in.Name, Root: rootURL, Key: o.Key, Size: o.Size, ETag: o.ETag, Sum: sumOf(o), Codec: m.req.Codecs.codecOf(in, o.Key)}
			if seen[place+o.Key] {
				return nil, invalidf("input %s is named twice, the second time by %s: it would be read twice", object.Name(), u)
			}
			seen[place+o.Key] = true
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// notCounted says what an input holds in place of objects.
func notCounted(l plan.LeftOut) string {
	if l.Total() == 0 {
		return ""
	}
	return " but " + l.String()
}

// errMissing says that a key names neither an object nor a prefix.
var errMissing = errors.New("missing")

// find finds the objects of one input.
type find struct {
	*maker
	root    *store.Root
	query   string // of its URL, with the question mark
	above   string // the directory in which names begin, with a final slash, or empty
	names   *names
	outputs map[string]bool // directories below above that have the log of an output
	dirs    map[string]bool // keys that name directories, of a store where objects can have them too
	leftOut plan.LeftOut
	any     bool // there is an object or a directory below above
}

// reading is what one --input reads, for the check of the output.
type reading struct {
	url   string
	base  string // of the names: a directory without links and final slash
	names *names
}

// begin notes what is read.
func (f *find) begin(above string, n *names) {
	f.above, f.names = above, n
	url := f.root.Name(above + strings.TrimSuffix(strings.Join(n.segments, "/"), anyDepth))
	f.readings = append(f.readings, reading{url, canonical(f.root.Name(above)), n})
}

// local reports whether the input is files. Locate has looked itself whether a name is a
// file.
func (f *find) local() bool { return strings.HasPrefix(f.root.Name(""), "file://") }

// named returns the objects that a key, a directory or a pattern names. An object or a
// directory of exactly that name comes before a pattern.
func (f *find) named(ctx context.Context, key string) ([]store.Object, error) {
	switch {
	case key == "":
		return f.directory(ctx, "")
	case !store.IsPattern(key):
		return f.exactly(ctx, key)
	}
	if !f.local() {
		is, err := f.exists(ctx, key)
		if err != nil {
			return nil, err
		}
		if is {
			return f.exactly(ctx, key)
		}
	}
	if name, only := store.Literal(key); only {
		return f.exactly(ctx, name)
	}
	text := key[:strings.IndexAny(key, `*?[\`)]
	above := text[:strings.LastIndexByte(text, '/')+1]
	f.begin(above, pattern(key[len(above):]))
	return f.list(ctx, text)
}

// exists reports whether there is an object of a name, or one below a directory of that
// name.
func (f *find) exists(ctx context.Context, key string) (bool, error) {
	if _, err := f.root.Stat(ctx, key); err == nil || plan.KindOf(err) != plan.NotFound {
		return err == nil, err
	}
	return f.below(ctx, key)
}

// below reports whether there is an object below a directory.
func (f *find) below(ctx context.Context, dir string) (bool, error) {
	for _, err := range f.root.List(ctx, dir+"/") {
		return err == nil, err
	}
	return false, nil
}

// exactly returns the object of a name, or those below a directory of that name. An empty
// object is a mark that some tools make for a directory, if there is anything below it.
func (f *find) exactly(ctx context.Context, key string) ([]store.Object, error) {
	if strings.HasSuffix(key, "/") {
		return f.directory(ctx, key)
	}
	o, err := f.root.Stat(ctx, key)
	switch {
	case plan.KindOf(err) == plan.NotFound:
		found, err := f.directory(ctx, key+"/")
		if err == nil && !f.any {
			err = errMissing
		}
		return found, err
	case err != nil:
		return nil, err
	case o.Size == 0 && !f.local():
		if is, err := f.below(ctx, key); err != nil {
			return nil, err
		} else if is {
			return f.directory(ctx, key+"/")
		}
	}
	f.begin("", exactly(key))
	return []store.Object{o}, nil
}

// directory returns all objects below a directory: its key with a final slash, or empty.
func (f *find) directory(ctx context.Context, dir string) ([]store.Object, error) {
	f.begin(dir, everything())
	return f.list(ctx, dir)
}

// list returns the objects whose names match, and whose keys begin with prefix. In a
// directory that a job has written it returns the objects that its log has committed.
func (f *find) list(ctx context.Context, prefix string) ([]store.Object, error) {
	is, err := f.isOutput(ctx, f.above)
	if err != nil {
		return nil, err
	}
	found, err := f.root.Walk(ctx, store.Walk{Prefix: prefix, Enter: f.enter, Match: f.match, Skip: f.skip, Deep: f.names.deep()})
	if err != nil {
		return nil, err
	}
	if is {
		if found, err = committed(ctx, f.root.Sub(f.above), f.above, found, f.names.all()); err != nil {
			return nil, err
		}
	}
	if !is && slices.ContainsFunc(found, func(o store.Object) bool { return output.IsPart(o.Key) }) {
		if found, err = f.within(ctx, found); err != nil {
			return nil, err
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(f.outputs)) {
		if is, err = f.isOutput(ctx, dir); err != nil {
			return nil, err
		}
		if !is {
			continue
		}
		if found, err = committed(ctx, f.root.Sub(dir), dir, found, f.names.all()); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// within leaves out parts that are not committed, if the directory lies in an output: it
// is one of several outputs of a job.
func (f *find) within(ctx context.Context, found []store.Object) ([]store.Object, error) {
	open := func(ctx context.Context, url string) (*store.Root, error) { return f.roots.Get(ctx, url, false) }
	root, below, ok, err := output.Within(ctx, f.root.Name(f.above)+f.query, open)
	if err != nil || !ok {
		return found, err
	}
	m, err := output.Read(ctx, root)
	if err != nil {
		return nil, err
	}
	return keepCommitted(f.root, f.above, m.Below(below), below, found, f.names.all())
}

// isOutput reports whether a directory is an output. One in whose name there are two
// slashes in a row is none.
func (f *find) isOutput(ctx context.Context, dir string) (bool, error) {
	if strings.Contains("/"+dir, "//") {
		return false, nil
	}
	return output.IsOutput(ctx, f.root.Sub(dir))
}

// enter is the Enter of a walk. It notes directories that can be outputs.
func (f *find) enter(dir, key string) (state string, enter bool) {
	f.any = true
	if !f.local() {
		f.dirs[strings.TrimSuffix(key, "/")] = true
	}
	state, read, hidden := f.names.enter(dir[len(f.above):])
	if above, is := strings.CutSuffix("/"+key, "/"+output.Dir+"/"); is {
		if above = strings.TrimPrefix(above+"/", "/"); above != f.above {
			f.outputs[above] = true
		}
		return state, read
	}
	if hidden {
		f.leftOut.Hidden++
	}
	return state, read
}

// isMark reports whether an object is a mark that some tools make for a directory: it is
// empty, and has the name of one. It is no record of any format.
func (f *find) isMark(o store.Object) bool {
	return o.Size == 0 && (strings.HasSuffix(o.Key, "/") || f.dirs[o.Key])
}

// match is the Match of a walk.
func (f *find) match(key string) bool {
	f.any = true
	name := key[len(f.above):]
	read, hidden := f.names.match(name)
	if hidden && !strings.HasSuffix("/"+name, "/"+output.SuccessName) {
		f.leftOut.Hidden++
	}
	return read
}

// skip is the Skip of a walk.
func (f *find) skip(_ string, special bool) {
	if special {
		f.leftOut.Special++
	} else {
		f.leftOut.Links++
	}
}

// committed removes from found the objects that are below an output and not
// committed there. If whole is set, everything committed must have been found.
func committed(ctx context.Context, root *store.Root, dir string, found []store.Object, whole bool) ([]store.Object, error) {
	m, err := output.Read(ctx, root)
	if err != nil {
		return nil, err
	}
	return keepCommitted(root, dir, m.Data(), "", found, whole)
}

// keepCommitted removes from found the objects below a directory that are not in a
// manifest, whose names begin with below.
func keepCommitted(root *store.Root, dir string, m *output.Manifest, below string, found []store.Object, whole bool) ([]store.Object, error) {
	sizes := make(map[string]int64, len(m.Parts))
	for i := range m.Parts {
		sizes[dir+m.Parts[i].Name[len(below):]] = m.Parts[i].Size
	}
	kept := found[:0]
	for _, o := range found {
		if !strings.HasPrefix(o.Key, dir) {
			kept = append(kept, o)
			continue
		}
		size, ok := sizes[o.Key]
		if ok && size != o.Size {
			return nil, fmt.Errorf("%s has %d bytes, the manifest of its output says %d", root.Name(strings.TrimPrefix(o.Key, dir)), o.Size, size)
		}
		if ok {
			kept = append(kept, o)
			delete(sizes, o.Key)
		}
	}
	for i := range m.Parts {
		if _, missing := sizes[dir+m.Parts[i].Name[len(below):]]; missing && whole {
			return nil, &store.Error{Op: "read the output of a job", URL: root.Name(m.Parts[i].Name), Kind: plan.NotFound,
				Err: errors.New("its manifest lists this part")}
		}
	}
	return kept, nil
}
