package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/internal/pipeline"
	"github.com/windrow-mr/windrow/jobs/formats/compress"
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
	roots   *roots
	leftOut int // objects passed over because of their names
}

// resolve finds the objects of every input of the plan.
func (f *finder) resolve(ctx context.Context, p *pipeline.Plan, urls []string, slots int) ([]splits.Input, []plan.Split, error) {
	given := make(map[string][]string)
	for _, u := range urls {
		name, url := splitName(p, u)
		given[name] = append(given[name], url)
	}
	inputs := make([]splits.Input, len(p.Inputs))
	var generated []plan.Split
	for i := range p.Inputs {
		in := &p.Inputs[i]
		urls := given[in.Name]
		delete(given, in.Name)
		if in.Generate != nil {
			if len(urls) > 0 {
				return nil, nil, fmt.Errorf("job %s makes its own input: leave --input out", p.Job)
			}
			sections, err := in.Generate(slots)
			if err != nil {
				return nil, nil, err
			}
			for _, s := range sections {
				generated = append(generated, plan.Split{Input: i, Sections: []plan.Section{s}})
			}
			continue
		}
		if len(urls) == 0 {
			return nil, nil, missingInput(p, in.Name)
		}
		objects, err := f.objects(ctx, in.Name, urls)
		if err != nil {
			return nil, nil, err
		}
		inputs[i] = splits.Input{Objects: objects, Cut: in.Split}
	}
	for name, urls := range given {
		return nil, nil, fmt.Errorf("job %s has no input named %q (for %s); it has %s", p.Job, name, urls[0], inputNames(p))
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
		return fmt.Errorf("job %s has no input: say where it is with --input", p.Job)
	}
	return fmt.Errorf("job %s has no input named %q: say where it is with --input %s=URL", p.Job, name, name)
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
func (f *finder) objects(ctx context.Context, input string, urls []string) ([]plan.Object, error) {
	var objects []plan.Object
	for _, u := range urls {
		rootURL, key, err := store.Locate(u)
		if err != nil {
			return nil, err
		}
		root, err := f.roots.get(ctx, rootURL, false)
		if err != nil {
			return nil, err
		}
		found, err := f.find(ctx, root, key)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &Error{NotFound, fmt.Errorf("input %s holds no objects (names that begin with _ or . are not counted)", u)}
		}
		for _, o := range found {
			object := plan.Object{Input: input, Root: rootURL, Key: o.Key, Size: o.Size, ETag: o.ETag}
			if codec := compress.FromName(o.Key); codec != compress.None {
				object.Codec = codec.String()
			}
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// find returns the objects that a key, a directory or a pattern names.
func (f *finder) find(ctx context.Context, root *store.Root, key string) ([]store.Object, error) {
	if key == "" {
		return f.list(ctx, root, "", nil)
	}
	if store.IsPattern(key) {
		literal := key[:strings.IndexAny(key, `*?[\`)]
		return f.list(ctx, root, literal, func(k string) bool { return store.Match(key, k) })
	}
	o, err := root.Stat(ctx, key)
	if store.KindOf(err) != store.NotFound {
		return []store.Object{o}, err
	}
	below, listErr := f.list(ctx, root.Sub(key), "", nil)
	if listErr != nil || len(below) == 0 {
		return nil, errors.Join(err, listErr)
	}
	for i := range below {
		below[i].Key = key + "/" + below[i].Key
	}
	return below, nil
}

// list returns the data objects below a prefix. The output of a job is read
// through its manifest: the parts that are committed, and nothing else.
func (f *finder) list(ctx context.Context, root *store.Root, prefix string, match func(string) bool) ([]store.Object, error) {
	if match == nil {
		if is, err := output.IsOutput(ctx, root); err != nil || is {
			return committed(ctx, root, err)
		}
	}
	var found []store.Object
	for o, err := range root.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		name := o.Key
		if match != nil {
			if !match(o.Key) {
				continue
			}
			name = name[strings.LastIndexByte(name, '/')+1:]
		}
		if hidden(name) {
			f.leftOut++
			continue
		}
		found = append(found, o)
	}
	return found, nil
}

// hidden tells whether a key is no data by the convention of the field: a
// segment that begins with an underscore or a dot.
func hidden(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasPrefix(segment, "_") || strings.HasPrefix(segment, ".") {
			return true
		}
	}
	return false
}

// committed returns the parts of an output.
func committed(ctx context.Context, root *store.Root, err error) ([]store.Object, error) {
	if err != nil {
		return nil, err
	}
	m, err := output.Read(ctx, root)
	if err != nil {
		return nil, err
	}
	var parts []store.Object
	for i := range m.Parts {
		o, err := root.Stat(ctx, m.Parts[i].Name)
		if err != nil {
			return nil, err
		}
		if o.Size != m.Parts[i].Size {
			return nil, fmt.Errorf("%s has %d bytes, its manifest says %d", root.Name(o.Key), o.Size, m.Parts[i].Size)
		}
		parts = append(parts, o)
	}
	return parts, nil
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
