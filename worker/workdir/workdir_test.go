package workdir_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/worker/workdir"
)

const (
	prefix = "windrow-test-"
	// asHolder, in the environment, makes the test binary hold a directory there.
	asHolder = "WINDROW_TEST_WORKDIR"
)

func TestMain(m *testing.M) {
	if parent := os.Getenv(asHolder); parent != "" {
		d, err := workdir.New(parent, prefix)
		if err != nil {
			os.Exit(1)
		}
		_ = os.MkdirAll(filepath.Join(d.Path, "deep", "down"), 0o700)
		os.Stdout.WriteString(d.Path + "\n")
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

// holder starts a process that holds a directory, and returns the directory.
func holder(t *testing.T, parent string) (path string, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asHolder+"="+parent)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the process has made no directory")
	}
	return lines.Text(), kill
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestDirectoriesOfKilledProcessesGo verifies that a new process removes the
// directories of those that were killed, and nothing else.
func TestDirectoriesOfKilledProcessesGo(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	killed, kill := holder(t, parent)
	alive, _ := holder(t, parent)
	kill()
	foreign := filepath.Join(parent, "another-1")
	file := filepath.Join(parent, prefix+"file")
	link := filepath.Join(parent, prefix+"link")
	young := filepath.Join(parent, prefix+"young") // of a process that is making it
	old := filepath.Join(parent, prefix+"old")
	for _, dir := range []string{foreign, young, old} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(foreign, link); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-24 * time.Hour)
	for _, path := range []string{foreign, file, old} {
		if err := os.Chtimes(path, past, past); err != nil {
			t.Fatal(err)
		}
	}
	d, err := workdir.New(parent, prefix)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{killed: false, old: false, alive: true, foreign: true, file: true, link: true, young: true, d.Path: true} {
		if there(path) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path), !want, want)
		}
	}
	if err := d.Remove(); err != nil || there(d.Path) {
		t.Errorf("removed with %v, and there: %v", err, there(d.Path))
	}
}

// TestNoParent verifies that the error names what is missing.
func TestNoParent(t *testing.T) {
	t.Parallel()
	if _, err := workdir.New(filepath.Join(t.TempDir(), "nothing"), prefix); err == nil {
		t.Error("no error")
	}
}
