package output

import (
	"context"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// IsPart reports whether a name is that of a part of some job, committed or not.
func IsPart(name string) bool { return tokenOf(name) != "" }

// Within finds the output that the directory at a URL lies in: a job of several outputs
// writes the parts of each to a directory of one output. Below is the directory's name
// there, with a final slash. Open opens the root at a URL; it may refuse one that the
// process has no right to, which then is no output. Ok is false if the directory lies in
// no output.
func Within(ctx context.Context, url string, open func(ctx context.Context, url string) (*store.Root, error)) (root *store.Root, below string, ok bool, err error) {
	path, query := url, ""
	scheme, _, remote := strings.Cut(url, "://")
	if remote && scheme != "file" {
		if i := strings.IndexByte(url, '?'); i >= 0 {
			path, query = url[:i], url[i:]
		}
	}
	least := 0 // bytes of the path that are not a name within a store
	if remote {
		least = len(scheme) + len("://")
		if scheme != "file" {
			if i := strings.IndexByte(path[least:], '/'); i >= 0 {
				least += i // the bucket
			} else {
				return nil, "", false, nil
			}
		}
	}
	for path = strings.TrimRight(path, "/"); len(path) > least; {
		i := strings.LastIndexByte(path, '/')
		if i < least {
			return nil, "", false, nil
		}
		below = path[i+1:] + "/" + below
		path = path[:i]
		if path == "" || remote && len(path) <= len(scheme)+len("://") {
			return nil, "", false, nil
		}
		root, err := open(ctx, path+query)
		switch plan.KindOf(err) {
		case plan.Denied, plan.NotFound:
			continue
		}
		if err != nil {
			return nil, "", false, err
		}
		if is, err := IsOutput(ctx, root); err != nil || is {
			return root, below, is, err
		}
	}
	return nil, "", false, nil
}

// Data returns the manifest without the parts that describe records which jobs left out.
func (m *Manifest) Data() *Manifest {
	return m.only(func(p *plan.Part) bool { return !p.IsQuarantine() })
}

// Below returns the manifest with only the parts below a directory.
func (m *Manifest) Below(dir string) *Manifest {
	return m.only(func(p *plan.Part) bool { return strings.HasPrefix(p.Name, dir) })
}

func (m *Manifest) only(keep func(p *plan.Part) bool) *Manifest {
	some := *m
	some.Parts, some.Records, some.Bytes = nil, 0, 0
	for i := range m.Parts {
		p := &m.Parts[i]
		if keep(p) {
			some.Parts = append(some.Parts, *p)
			some.Records += p.Records
			some.Bytes += p.Size
		}
	}
	return &some
}
