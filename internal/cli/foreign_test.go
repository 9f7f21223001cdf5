package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

// firstJob is the folder of a package that calls windrow.Main with one job.
const firstJob = "../../docs/firstjob"

// TestSubmitPrograms verifies that a job can be submitted from a package, from the
// program built from it, and by that program itself, and that the program is
// uploaded once.
func TestSubmitPrograms(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	args := func(what ...string) []string {
		return append(what, "--input", "s3://in/x", "--out", "s3://out/x", "--detach")
	}
	u.must(t, args("submit", firstJob)...)
	spec, err := b.Spec(t.Context(), apitest.ID(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Bundles) != 1 || spec.Bundles[0].OS+"/"+spec.Bundles[0].Arch != "linux/amd64" || spec.Build != "" || spec.Plan == "" {
		t.Fatalf("submitted: %+v", spec)
	}
	bytes := b.Bundle(spec.Bundles[0].Digest)
	if int64(len(bytes)) != spec.Bundles[0].Size || b.Calls("PutBundle") != 1 {
		t.Fatalf("%d bytes in %d uploads", len(bytes), b.Calls("PutBundle"))
	}
	program := filepath.Join(t.TempDir(), "firstjob")
	if err := os.WriteFile(program, bytes, 0o700); err != nil {
		t.Fatal(err)
	}
	u.must(t, args("submit", firstJob, spec.Job)...)
	u.must(t, args("submit", program, "--label", "a=b")...)
	own := exec.CommandContext(t.Context(), program, args("submit", spec.Job)...)
	own.Env = append(os.Environ(), "WINDROW_MASTER="+url, "XDG_CONFIG_HOME="+t.TempDir())
	if said, err := own.CombinedOutput(); err != nil || string(said) != string(apitest.ID(4))+"\n" {
		t.Fatalf("%v: %s", err, said)
	}
	for n := 2; n <= 4; n++ {
		again, err := b.Spec(t.Context(), apitest.ID(n))
		if err != nil || len(again.Bundles) != 1 || again.Bundles[0] != spec.Bundles[0] || again.Plan != spec.Plan || again.Job != spec.Job {
			t.Errorf("job %d: %+v, %v", n, again, err)
		}
	}
	if n := b.Calls("PutBundle"); n != 1 {
		t.Errorf("it was uploaded %d times", n)
	}

	b.SetWorkers(client.Worker{ID: "w", OS: "linux", Arch: "arm64"})
	if code, _, stderr := u.do(t, args("submit", program)...); code != exitInvalid || !strings.Contains(stderr, "linux/arm64") {
		t.Errorf("to workers of another kind: exit %d: %s", code, stderr)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{args("submit", program, "nosuchjob"), "has no job"}, {args("submit", program, "--param", "colour=red"), "unknown parameter"},
		{args("submit", program, "--colour", "red"), "unknown flag --colour"}, {args("submit", program, spec.Job, "more"), "unexpected argument"},
	} {
		if code, _, stderr := u.do(t, c.args...); code != exitInvalid || !strings.Contains(stderr, c.says) {
			t.Errorf("%q: exit %d: %s", c.args, code, stderr)
		}
	}
}
