package embedded

import (
	"regexp"
	"strings"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// wrapInFaults puts the injector of the options, if there is one, between the
// run and all its roots, closest to the run.
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

// Names hold what is new in every run, beside the job's id: the ids of attempts,
// and what is random in the names of probes and manifests.
var (
	attemptID = regexp.MustCompile(`\d+\.\d+\.[0-9a-f]{8}`)
	partOf    = regexp.MustCompile(`(/part-\w-\d+-job\.\d+)\.\d+`)
	random    = regexp.MustCompile(`(_windrow/probe/)[0-9a-f]+|\.[a-z2-7]{8}(\.json)$`)
)

// lastingName returns a key without what is new in every run, so that a seed
// means the same faults again, and so that they are counted over all attempts
// at a task.
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

// checks tells of which objects the engine checks every byte of every part that
// it reads: what it wrote itself, and input of which the store told a checksum
// when the run was planned.
func (r *run) checks(name string) bool {
	if _, below, ok := strings.Cut(name, "/"+output.Dir+"/"); ok {
		return !strings.HasPrefix(below, "beats/")
	}
	known := r.summed.Load()
	return known != nil && (*known)[name]
}

// noteSums notes of which input the store told a checksum.
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
