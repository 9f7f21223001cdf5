package embedded

import (
	"regexp"
	"strings"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// wrapInFaults puts the injector of the options, if there is one, between the run
// and all its roots, closest to the run.
func (r *run) wrapInFaults() {
	faults, inner := r.Chaos, r.roots.opts.Wrap
	if faults == nil {
		return
	}
	faults.Name, faults.Checked = r.lastingName, r.checks
	r.roots.opts.Wrap = func(d driver.Driver) driver.Driver {
		if inner != nil {
			d = inner(d)
		}
		return faults.Wrap(d)
	}
}

// These parts of names are new in every run, besides the job's id: the ids of
// attempts, and the random parts of the names of probes and manifests.
var (
	attemptID = regexp.MustCompile(`\d+\.\d+\.[0-9a-f]{8}`)
	partOf    = regexp.MustCompile(`(/part-\w-\d+-job\.\d+)\.\d+`)
	random    = regexp.MustCompile(`(_windrow/probe/)[0-9a-f]+|\.[a-z2-7]{8}(\.json)$`)
)

// lastingName returns a key without the parts that are new in every run. So a seed
// gives the same faults again, and faults are counted over all attempts at a task.
func (r *run) lastingName(key string) string {
	key = "/" + key
	if id := string(r.id); id != "" {
		key = strings.ReplaceAll(key, id, "job")
		key = strings.ReplaceAll(key, strings.ToLower(r.id.Short()), "job")
	}
	key = attemptID.ReplaceAllString(key, "attempt")
	key = partOf.ReplaceAllString(key, "$1")
	return random.ReplaceAllString(key, "$1$2")
}

// checks reports whether the engine checks every byte that it reads of an object.
// It does so for objects that it wrote itself, and for input whose checksum the
// store reported when the run was planned.
func (r *run) checks(name string) bool {
	if _, below, ok := strings.Cut(name, "/"+output.Dir+"/"); ok {
		return !strings.HasPrefix(below, "beats/")
	}
	known := r.summed.Load()
	return known != nil && (*known)[name]
}

// noteSums records the input whose checksum the store reported.
func (r *run) noteSums() {
	if r.Chaos == nil {
		return
	}
	known := make(map[string]bool)
	for i := range r.table.Splits {
		for j := range r.table.Splits[i].Sections {
			o := &r.table.Splits[i].Sections[j].Object
			root, err := r.roots.Opened(o.Root)
			if err == nil && o.Sum != (plan.Checksum{}) {
				known[root.Name(o.Key)] = true
			}
		}
	}
	r.summed.Store(&known)
}
