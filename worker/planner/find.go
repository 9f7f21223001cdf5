package planner

import (
	"context"
	"errors"
	"fmt"
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
		found, err := m.find(ctx, root, key)
		if errors.Is(err, errMissing) {
			return nil, missing
		}
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &Error{plan.NotFound, fmt.Errorf("input %s holds no objects (names that begin with _ or . are not counted)", u)}
		}
		for _, o := range found {
			object := plan.Object{Input: in.Name, Root: rootURL, Key: o.Key, Size: o.Size, ETag: o.ETag, Sum: sumOf(o), Codec: m.req.Codecs.codecOf(in, o.Key)}
			if seen[object.Name()] {
				return nil, invalidf("input %s is named twice, the second time by %s: it would be read twice", object.Name(), u)
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
func (m *maker) find(ctx context.Context, root *store.Root, key string) ([]store.Object, error) {
	if key == "" {
		m.dirs = append(m.dirs, root.Name(""))
		return m.list(ctx, root, "", nil)
	}
	if store.IsPattern(key) {
		literal := key[:strings.IndexAny(key, `*?[\`)]
		if strings.Contains(key, "**") {
			m.dirs = append(m.dirs, root.Name(literal[:strings.LastIndexByte(literal, '/')+1]))
		}
		return m.list(ctx, root, literal, func(k string) bool { return store.Match(key, k) })
	}
	o, err := root.Stat(ctx, key)
	if plan.KindOf(err) != plan.NotFound {
		return []store.Object{o}, err
	}
	below, listErr := m.list(ctx, root.Sub(key), "", nil)
	if listErr != nil {
		return nil, listErr
	}
	if len(below) == 0 {
		return nil, errMissing
	}
	m.dirs = append(m.dirs, root.Name(key))
	for i := range below {
		below[i].Key = key + "/" + below[i].Key
	}
	return below, nil
}

// list returns the data objects whose keys begin with prefix and match; nil
// matches all. In a directory that a job has written it returns the objects
// that its log has committed.
func (m *maker) list(ctx context.Context, root *store.Root, prefix string, match func(string) bool) ([]store.Object, error) {
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
				m.leftOut++
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

// ofLog reports whether a key belongs to the log of an output. Such an object
// is never missed.
func ofLog(key string) bool {
	return strings.Contains("/"+key, "/"+output.Dir+"/") || strings.HasSuffix("/"+key, "/"+output.SuccessName)
}

// committed removes from found the objects that are below an output and not
// committed there. If whole is set, everything committed must have been found.
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
			return nil, &store.Error{Op: "read the output of a job", URL: root.Name(m.Parts[i].Name), Kind: plan.NotFound,
				Err: errors.New("its manifest lists this part")}
		}
	}
	return kept, nil
}
