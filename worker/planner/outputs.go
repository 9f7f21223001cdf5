package planner

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
)

// refuseNested refuses an output whose parts are among what an input reads: the next run
// would read them.
func refuseNested(readings []reading, out *store.Root) error {
	name := canonical(out.Name(""))
	for _, r := range readings {
		if dir, inside := strings.CutPrefix(name+"/", r.base+"/"); inside && r.names.readsPart(strings.TrimSuffix(dir, "/")) {
			return invalidf("the output %s lies in what the input %s reads, and the next run would read its parts; choose another --out", out.URL(), r.url)
		}
	}
	return nil
}

// refuseInsideOutput refuses an output within another job's: each would treat
// the other's parts as unknown files. It inspects the directories above the
// output from the top down. A directory that this process may not read is
// skipped: no job can have run there.
func refuseInsideOutput(ctx context.Context, roots store.Roots, url string, out *store.Root) error {
	name, _, _ := strings.Cut(out.URL(), "?")
	scheme, path, _ := strings.Cut(name, "://")
	query := ""
	if _, rest, ok := strings.Cut(url, "?"); ok && scheme != "file" {
		query = "?" + rest
	}
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if slices.Contains(segments, output.Dir) {
		return invalidf("the output %s lies in a directory %s, which belongs to another output; choose another --out", out.URL(), output.Dir)
	}
	base, first := scheme+"://", 1
	if scheme == "file" {
		base, first = "file:///", 0
	}
	for top := first; top < len(segments); top++ {
		root, err := roots.Get(ctx, base+strings.Join(segments[:top], "/")+query, false)
		if plan.KindOf(err) == plan.Denied {
			continue
		}
		if err != nil {
			return nil //nolint:nilerr // writing to that store reports the error
		}
		return refuseBelow(ctx, root, segments[top:], out)
	}
	return nil
}

// refuseBelow inspects a root and the directories between it and the output.
func refuseBelow(ctx context.Context, root *store.Root, segments []string, out *store.Root) error {
	for n := range segments {
		above := strings.Join(segments[:n], "/")
		if is, err := output.IsOutput(ctx, root.Sub(above)); err == nil && is {
			return invalidf("the output %s lies in the output %s; choose another --out", out.URL(), root.Name(above))
		}
	}
	return nil
}

// canonical returns a root's name without a final slash. A local one is without
// links.
func canonical(name string) string {
	name = strings.TrimRight(name, "/")
	if path, ok := strings.CutPrefix(name, "file://"); ok {
		return "file://" + resolved(path)
	}
	return name
}

// resolved returns a path without links, as far down as it exists: a plan may
// be for a directory that does not exist yet.
func resolved(path string) string {
	below := ""
	for above := path; ; above = filepath.Dir(above) {
		if there, err := filepath.EvalSymlinks(above); err == nil {
			return filepath.Join(there, below)
		}
		if above == filepath.Dir(above) {
			return path
		}
		below = filepath.Join(filepath.Base(above), below)
	}
}
