package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// TestCollectGarbage verifies that gc lists what was removed, and the first places
// where it could not look for uploads. Such places are not a failure: the rest is
// done.
func TestCollectGarbage(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	g := client.Garbage{Objects: 1200, Bytes: 4096, Uploads: 1003, Jobs: []client.GarbageItem{
		{Prefix: "j/aa/X/s/", Why: "it ended", Objects: 1200, Bytes: 4096}, {Prefix: "s3://out/x", Why: "parts of jobs that have ended", Uploads: 1003}}}
	for i := range 13 {
		g.Skipped = append(g.Skipped, client.GarbageSkipped{Prefix: fmt.Sprintf("s3://closed/%d", i), Error: "permission denied"})
	}
	for _, c := range []struct {
		command string
		want    []string // on standard output
		says    []string // on standard error
	}{
		{"gc --dry-run", []string{"BELOW OBJECTS BYTES UPLOADS WHY", "j/aa/X/s/ 1,200 4 KiB 0 it ended", "s3://out/x 0 0 B 1,003 parts of jobs that have ended"},
			[]string{"would be removed: 1,200 objects, 4 KiB; 1,003 unfinished uploads\n", "left alone below s3://closed/9: permission denied\n", "3 more"}},
		{"gc", nil, []string{"removed: 1,200 objects, 4 KiB; 1,003 unfinished uploads\n"}},
		{"gc", nil, []string{"removed: 0 objects, 0 B; 0 unfinished uploads\n"}},
		{"gc -o json", []string{`"uploads": 1003`, `"skipped": [`, `"prefix": "s3://closed/12"`}, nil},
	} {
		if c.command != "gc" {
			b.SetGarbage(g)
		}
		code, stdout, stderr := u.do(t, strings.Fields(c.command)...)
		if code != 0 {
			t.Fatalf("%s: exit %d: %s", c.command, code, stderr)
		}
		words := strings.Join(strings.Fields(stdout), " ")
		for _, want := range c.want {
			if !strings.Contains(words, want) {
				t.Errorf("%s does not print %q:\n%s", c.command, want, stdout)
			}
		}
		for _, want := range c.says {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s does not say %q:\n%s", c.command, want, stderr)
			}
		}
		if strings.Contains(stderr, "closed/10") {
			t.Errorf("%s lists too many places:\n%s", c.command, stderr)
		}
	}
}
