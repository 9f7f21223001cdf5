package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
)

// zoneJob writes the local time of an instant, and the zone of programs that it starts.
func zoneJob() *jobs.Job {
	return jobs.Define("zone", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		built := time.Unix(0, 0).Local().Format(time.RFC3339)
		jobs.Convert(jobs.ReadLines(p), func([]byte) string {
			return built + " " + time.Unix(0, 0).Local().Format(time.RFC3339) + " " + os.Getenv("TZ")
		}).WriteTSV()
		return nil
	})
}

// TestFunctionsOfARunHaveUTC verifies that the time zone of a machine changes nothing in
// the output of run: job processes on a cluster have UTC too.
func TestFunctionsOfARunHaveUTC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "zone", "--input", in, "--out", out, "-q"}, {"cat", out}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=zone", "TZ=Asia/Kathmandu", "XDG_CONFIG_HOME="+dir)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, said)
		}
		if want := "1970-01-01T00:00:00Z 1970-01-01T00:00:00Z UTC\n"; args[0] == "cat" && string(said) != want {
			t.Errorf("the job writes %q, want %q", said, want)
		}
	}
}
