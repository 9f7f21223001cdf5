package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/store"
)

// TestAJobIsTriedOut verifies that run and plan read a part of the input on request, and
// say so in the same words, and that they refuse numbers that mean nothing.
func TestAJobIsTriedOut(t *testing.T) {
	t.Parallel()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(t.Context(), "mem://in", stores)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := root.Put(t.Context(), fmt.Sprintf("%d", i), fmt.Appendf(nil, "line %d\n", i), store.Durable); err != nil {
			t.Fatal(err)
		}
	}
	do := func(line string) (int, string, string) {
		p, stdout, stderr := program(stores, strings.Fields(line)...)
		p.Jobs, p.Library = library.All(), true
		return serially(t, p), stdout.String(), stderr.String()
	}
	const says = "7 objects, all or in part, by --limit-objects or --sample"
	if code, stdout, stderr := do("plan sort --input mem://in --out mem://out --limit-objects 3"); code != 0 || !strings.Contains(stdout, says) {
		t.Errorf("plan: exit %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := do("run sort --input mem://in --out mem://out --limit-objects 3"); code != 0 || !strings.Contains(stdout+stderr, says) {
		t.Errorf("run: exit %d, %s%s", code, stdout, stderr)
	}
	if _, stdout, stderr := do("cat mem://out"); stdout != "line 0\nline 1\nline 2\n" {
		t.Errorf("it reads %q; %s", stdout, stderr)
	}
	for _, flags := range []string{"--limit-objects 0", "--limit-objects -1", "--sample 0", "--sample 200%", "--sample x"} {
		if code, _, stderr := do("run sort --input mem://in --out mem://other " + flags); code != exitInvalid || !strings.Contains(stderr, strings.Fields(flags)[0]) {
			t.Errorf("%s: exit %d, %s", flags, code, stderr)
		}
	}
}
