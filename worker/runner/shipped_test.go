//go:build linux

package runner_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestShippedFiles verifies that functions of a job process read the files that were
// shipped with the job, that the worker fetches each once, and that other bytes than
// those that were submitted are refused.
func TestShippedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "a\nb\na\nempty\n")
	ship := func(name, text string) plan.File {
		b := w.upload(t, []byte(text))[1]
		return plan.File{Name: name, Digest: b.Digest, Size: b.Size}
	}
	a, b := ship("a", "hay"), ship("b", "straw")
	empty := plan.File{Name: "empty", Digest: strings.Repeat("0", 64)}
	uses := func(s *plan.Spec) { s.Files = []plan.File{a, b, empty} }
	for range 2 {
		got, _ := w.run(t, w.submit(t, "shipped", nil, uses))
		wantLines(t, got, []string{"hay\t2", "straw\t1", "\t1"})
	}
	if n := w.counting.count("bundles"); n != 2 {
		t.Errorf("fetched %d times", n)
	}

	c := ship("c", "grass")
	w.replace(t, plan.Bundle{Digest: c.Digest}, []byte("grasp"))
	id := w.submit(t, "shipped", nil, func(s *plan.Spec) { s.Files = []plan.File{c} })
	if o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, `the file "c"`, "a file of the job is damaged, or was replaced", c.Digest); o.Final {
		t.Error("another worker may read it undamaged, and the error is final")
	}
	gone := plan.File{Name: "gone", Digest: strings.Repeat("1", 64), Size: 1}
	id = w.submit(t, "shipped", nil, func(s *plan.Spec) { s.Files = []plan.File{gone} })
	if o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, `the file "gone"`, "a file of the job is gone", "submit the job again"); !o.Final {
		t.Errorf("%+v", o)
	}
}
