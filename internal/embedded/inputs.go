package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/internal/pipeline"
	"github.com/windrow-mr/windrow/master/splits"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// roots are the roots that a run has opened, by URL.
type roots struct {
	opts store.Options
	mu   sync.Mutex
	open map[string]*store.Root
}

func (r *roots) get(ctx context.Context, url string, create bool) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	opts := r.opts
	opts.CreateDir = create
	root, err := store.Open(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	if r.open == nil {
		r.open = make(map[string]*store.Root)
	}
	r.open[url] = root
	return root, nil
}

// opened returns a root that get has opened before.
func (r *roots) opened(url string) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	return nil, fmt.Errorf("root %s was not opened for this run", url)
}

// usage adds up the requests to all roots.
func (r *roots) usage() store.Usage {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sum store.Usage
	for _, root := range r.open {
		sum = sum.Plus(root.Usage())
	}
	return sum
}

// anyRemote tells whether any root costs round trips, and so memory to hide them.
func (r *roots) anyRemote() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, root := range r.open {
		if root.Remote() {
			return true
		}
	}
	return false
}

func (r *roots) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, root := range r.open {
		errs = append(errs, root.Close())
	}
	return errors.Join(errs...)
}

// finder finds a plan's input.
type finder struct {
	*settings
	roots   *roots
	leftOut int      // objects passed over because of their names
	dirs    []string // directories that are read as a whole, by name
}

// usagef makes an error of what was asked for.
func usagef(format string, args ...any) error { return &Error{Usage, fmt.Errorf(format, args...)} }

// resolve finds the objects of every input of the plan.
func (f *finder) resolve(ctx context.Context, p *pipeline.Plan, urls []string, slots int) ([]splits.Input, []plan.Split, error) {
	given := make(map[string][]string)
	for _, u := range urls {
		name, url := splitName(p, u)
		if !slices.ContainsFunc(p.Inputs, func(in pipeline.Input) bool { return in.Name == name }) {
			if name == "" {
				return nil, nil, usagef("--input %s has no name: job %s reads %s, so write --input NAME=%s", u, p.Job, inputNames(p), url)
			}
			return nil, nil, usagef("job %s has no input named %q (for %s); it has %s", p.Job, name, url, inputNames(p))
		}
		given[name] = append(given[name], url)
	}
	inputs := make([]splits.Input, len(p.Inputs))
	var generated []plan.Split
	for i := range p.Inputs {
		in := &p.Inputs[i]
		urls := given[in.Name]
		switch {
		case in.Generate != nil && len(urls) > 0:
			return nil, nil, usagef("job %s makes its own input: leave --input out", p.Job)
		case in.Generate != nil:
			sections, err := in.Generate(slots)
			if err != nil {
				return nil, nil, err
			}
			for _, s := range sections {
				generated = append(generated, plan.Split{Input: i, Sections: []plan.Section{s}})
			}
			continue
		case len(urls) == 0:
			return nil, nil, missingInput(p, in.Name)
		}
		objects, err := f.objects(ctx, in, urls)
		if err != nil {
			return nil, nil, err
		}
		inputs[i] = splits.Input{Objects: objects, Cut: in.Split}
	}
	return inputs, generated, nil
}

// splitName separates the name from "name=URL". A URL may hold an equals sign
// itself, so only a name without any of a URL's marks counts.
func splitName(p *pipeline.Plan, s string) (name, url string) {
	name, url, ok := strings.Cut(s, "=")
	if !ok || strings.ContainsAny(name, ":/.?*") || len(p.Inputs) == 1 && p.Inputs[0].Name == "" {
		return "", s
	}
	return name, url
}

func missingInput(p *pipeline.Plan, name string) error {
	if name == "" {
		return usagef("job %s has no input: say where it is with --input", p.Job)
	}
	return usagef("job %s has no input named %q: say where it is with --input %s=URL", p.Job, name, name)
}

func inputNames(p *pipeline.Plan) string {
	var names []string
	for i := range p.Inputs {
		if p.Inputs[i].Name == "" {
			return "one input without a name"
		}
		names = append(names, p.Inputs[i].Name)
	}
	return strings.Join(names, ", ")
}

// objects returns the objects that URLs name, in order of their keys.
func (f *finder) objects(ctx context.Context, in *pipeline.Input, urls []string) ([]plan.Object, error) {
	var objects []plan.Object
	seen := make(map[string]bool)
	for _, u := range urls {
		rootURL, key, err := store.Locate(u)
		if err != nil {
			return nil, err
		}
		missing := &Error{NotFound, fmt.Errorf("input %s: there is no such object, directory or prefix", u)}
		root, err := f.roots.get(ctx, rootURL, false)
		if store.KindOf(err) == store.NotFound {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		found, err := f.find(ctx, root, key)
		if errors.Is(err, errMissing) {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &Error{NotFound, fmt.Errorf("input %s holds no objects (names that begin with _ or . are not counted)", u)}
		}
		for _, o := range found {
			object := plan.Object{Input: in.Name, Root: rootURL, Key: o.Key, Size: o.Size, ETag: o.ETag, Sum: sumOf(o), Codec: f.codecOf(in, o.Key)}
			if seen[object.Name()] {
				return nil, usagef("input %s is named twice, the second time by %s: it would be read twice", object.Name(), u)
			}
			seen[object.Name()] = true
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// errMissing says that a key names neither an object nor a prefix.
var errMissing = errors.New("missing")

// find returns the objects that a key, a directory or a pattern names.
func (f *finder) find(ctx context.Context, root *store.Root, key string) ([]store.Object, error) {
	if key == "" {
		f.dirs = append(f.dirs, root.Name(""))
		return f.list(ctx, root, "", nil)
	}
	if store.IsPattern(key) {
		literal := key[:strings.IndexAny(key, `*?[\`)]
		if strings.Contains(key, "**") {
			f.dirs = append(f.dirs, root.Name(literal[:strings.LastIndexByte(literal, '/')+1]))
		}
		return f.list(ctx, root, literal, func(k string) bool { return store.Match(key, k) })
	}
	o, err := root.Stat(ctx, key)
	if store.KindOf(err) != store.NotFound {
		return []store.Object{o}, err
	}
	below, listErr := f.list(ctx, root.Sub(key), "", nil)
	if listErr != nil {
		return nil, listErr
	}
	if len(below) == 0 {
		return nil, errMissing
	}
	f.dirs = append(f.dirs, root.Name(key))
	for i := range below {
		below[i].Key = key + "/" + below[i].Key
	}
	return below, nil
}

// list returns the data objects whose keys begin with prefix and match, nil
// matching all. Of directories that jobs have written it returns what their
// logs say is committed.
func (f *finder) list(ctx context.Context, root *store.Root, prefix string, match func(string) bool) ([]store.Object, error) {
	above := prefix[:strings.LastIndexByte(prefix, '/')+1]
	outputs := make(map[string]bool) // directories, with their final slash
	is, err := output.IsOutput(ctx, root.Sub(above))
	if err != nil {
		return nil, err
	}
	outputs[above] = is
	var found []store.Object
	for o, err := range root.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if dir, ok := strings.CutSuffix(o.Key, output.FirstEntry); ok {
			outputs[dir] = true
		}
		switch {
		case match != nil && !match(o.Key):
		case output.Hidden(o.Key[len(above):]):
			if !ofLog(o.Key) {
				f.leftOut++
			}
		default:
			found = append(found, o)
		}
	}
	for dir, is := range outputs {
		if !is {
			continue
		}
		if found, err = committed(ctx, root.Sub(dir), dir, found, match == nil); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ofLog tells whether a key is one of those by which an output keeps its log:
// nobody misses them.
func ofLog(key string) bool {
	return strings.Contains("/"+key, "/"+output.Dir+"/") || strings.HasSuffix("/"+key, "/"+output.SuccessName)
}

// committed takes away those of the objects found that are below an output and
// not part of what is committed there. If whole is set, all that is committed
// must have been found.
func committed(ctx context.Context, root *store.Root, dir string, found []store.Object, whole bool) ([]store.Object, error) {
	m, err := output.Read(ctx, root)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(m.Parts))
	for i := range m.Parts {
		sizes[dir+m.Parts[i].Name] = m.Parts[i].Size
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
		if _, missing := sizes[dir+m.Parts[i].Name]; missing && whole {
			return nil, &store.Error{Op: "read the output of a job", URL: root.Name(m.Parts[i].Name), Kind: store.NotFound,
				Err: errors.New("its manifest lists this part")}
		}
	}
	return kept, nil
}

// target returns the size of splits for inputs.
func target(inputs []splits.Input, s *settings) (size, total int64) {
	for i := range inputs {
		total += inputs[i].Bytes()
	}
	if s.SplitSize > 0 {
		return s.SplitSize, total
	}
	return splits.Target(total, s.Slots), total
}
