package faults

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// point is where a master can be killed: before or after a write.
type point struct {
	when, op, pattern string
	n                 int // how often when, op and pattern have been the same until then
}

func (p point) String() string { return fmt.Sprintf("%s %s %s#%d", p.when, p.op, p.pattern, p.n) }

var (
	deactivated = regexp.MustCompile(`after delete (root/)?active/`)
	traced      = regexp.MustCompile(`(?m)^failpoint: (before|after) (\S+) (\S+)$`)
	// named matches the parts of keys that differ in every run.
	named = []struct {
		part *regexp.Regexp
		by   string
	}{
		{regexp.MustCompile(`j/[0-9a-f]{2}/[0-9A-Z]{26}/`), "j/*/*/"},
		{regexp.MustCompile(`[0-9A-Z]{26}`), "*"},
		{regexp.MustCompile(`\*\.[a-z0-9]{8}\.json`), "*"},
		{regexp.MustCompile(`(idem|sha256|probe)/[0-9a-f]+`), "$1/*"},
		{regexp.MustCompile(`\.\d+\.\d+\.[0-9a-f]{8}`), ".*"},
		{regexp.MustCompile(`/\d+\.\d+\.[0-9a-f]{8}$`), "/*"},
	}
)

// points returns where a master was before and after its writes, as its output
// says. Heartbeats are left out, since they depend on time, and deletions after
// the end, whose order is not fixed. A write that did not happen, since there
// was such an object, has no "after".
func points(said string) (list []point) {
	seen := make(map[point]int)
	for _, m := range traced.FindAllStringSubmatch(said, -1) {
		p := point{when: m[1], op: m[2], pattern: m[3]}
		if strings.HasSuffix(p.pattern, ".hb") || strings.Contains(p.pattern, "/beats/") || p.op == "delete" && strings.Contains(p.pattern, "/s/") {
			continue
		}
		p.pattern = "**/" + strings.TrimPrefix(strings.TrimPrefix(p.pattern, "root/"), "data/") // of a bucket
		for _, n := range named {
			p.pattern = n.part.ReplaceAllString(p.pattern, n.by)
		}
		seen[p]++
		n := seen[p]
		p.n = n
		list = append(list, p)
	}
	return list
}

// TestFault07MasterKilledAtEachPoint kills a master with SIGKILL before and
// after each write that it makes in the life of a job, and lets another lead. A
// master that lives prints the list of writes.
func TestFault07MasterKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*testing.T) *cluster{"files": onFiles}
	if all {
		kinds["s3"] = onS3
	}
	for kind, on := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			killedAtEach(t, on)
		})
	}
}

func killedAtEach(t *testing.T, on func(*testing.T) *cluster) {
	t.Helper()
	c := on(t)
	in := c.write(2, 5)
	whole := c.leader(failpoint("trace"))
	c.worker(1)
	id := c.submit("tally", "out", c.slow("1ms", "1ms", 5, 2)...)
	c.tallied(id, "out", in)
	eventually(t, "the job is archived", func() bool { return deactivated.MatchString(whole.said.String()) })
	list := points(whole.said.String())
	complete(t, list, whole.said.String(), len(c.records(id)))
	t.Logf("%d points to kill at", len(list))
	if !all { // one in eight, others with each seed
		r := rand.New(rand.NewPCG(*seed, 7))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:len(list)/8]
	}
	for _, p := range list {
		t.Run(strings.ReplaceAll(p.String(), "/", "|"), func(t *testing.T) {
			t.Parallel()
			killedAt(t, on(t), "kill "+p.String())
		})
	}
}

// complete checks that the points cover every create-once of the life of a job:
// in the epoch, the job and its log, and the output.
func complete(t *testing.T, list []point, said string, slots int) {
	t.Helper()
	creates, covered := 0, 0
	for _, m := range traced.FindAllStringSubmatch(said, -1) {
		if m[2] == "create" {
			creates++
		}
	}
	var found []string
	for _, p := range list {
		if p.op == "create" {
			covered++
		}
		found = append(found, p.when+" "+p.op+" "+p.pattern)
		if p.op != "delete" {
			found = append(found, p.when+" write "+p.pattern)
		}
	}
	if covered != creates {
		t.Errorf("create-onces began or ended %d times, %d of these are points", creates, covered)
	}
	want := []string{"create **/_windrow/probe/*", "create **/cluster/leader/00000000000000000001", "write **/bundles/sha256/*", "create **/idem/*",
		"create **/j/*/*/spec", "create **/active/*.0", "create **/out/_windrow/00000000000000000000", "create **/out/_windrow/00000000000000000001",
		"write **/out/_windrow/manifests/00000000000000000001.*", "put **/out/_SUCCESS", "create **/ended/*.0", "delete **/active/*.0"}
	for slot := range slots {
		want = append(want, fmt.Sprintf("create **/j/*/*/log/%020d", slot))
	}
	for _, w := range want {
		for _, when := range []string{"before ", "after "} {
			if !slices.Contains(found, when+w) {
				t.Errorf("%q is not a point; the points are %q", when+w, found)
			}
		}
	}
}

// killedAt runs a job whose first master dies at a point.
func killedAt(t *testing.T, c *cluster, point string) {
	t.Helper()
	in := c.write(2, 5)
	dies := start(t, "the master that dies", []string{failpoint(point)}, "master", "--root", c.rootURL, "--allow", c.dataURL, "--listen", "127.0.0.1:0")
	dies.said.Wait("leading the cluster", dies.exited, patience)
	c.master()
	c.worker(1)
	submitted := make(chan plan.JobID, 1)
	go func() {
		defer close(submitted)
		submitted <- c.submit("tally", "out", c.slow("1ms", "1ms", 5, 2)...)
	}()
	dies.wait()
	before := c.begun()
	id, ok := <-submitted
	if !ok {
		t.FailNow() // submit has reported why
	}
	c.tallied(id, "out", in)
	c.notAgain(before)
	jobs, err := c.client.Jobs(t.Context(), client.JobsQuery{})
	if err != nil || len(jobs.Jobs) != 1 {
		t.Errorf("one job was submitted, but there are %+v, %v", jobs.Jobs, err)
	}
}

// begun returns what is committed of the job that exists, if one does.
func (c *cluster) begun() done {
	c.t.Helper()
	for o, err := range c.root.List(c.t.Context(), "active/") {
		if err != nil {
			c.t.Fatal(err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(o.Key, "active/"), ".")
		return c.finished(plan.JobID(id))
	}
	return nil
}
