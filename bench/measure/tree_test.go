package measure

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// fakeProcess writes the files of a process in /proc.
func fakeProcess(t *testing.T, proc string, pid int, statm, children string) {
	t.Helper()
	task := filepath.Join(proc, fmt.Sprint(pid), "task", fmt.Sprint(pid))
	if err := os.MkdirAll(task, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{filepath.Join(proc, fmt.Sprint(pid), "statm"): statm, filepath.Join(task, "children"): children} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTreeKeepsGreatestSum(t *testing.T) {
	t.Parallel()
	page := int64(os.Getpagesize())
	tree := newTree(t.TempDir())
	tree.look()
	if tree.most != -1 {
		t.Errorf("%d bytes of no process, want -1 for not known", tree.most)
	}
	tree.Add(1)
	tree.Add(5)
	fakeProcess(t, tree.proc, 1, "900 100 9 0 0 0 0\n", "2 3 77 ") // 77 has ended
	fakeProcess(t, tree.proc, 2, "901 20 9 0 0 0 0\n", "")
	fakeProcess(t, tree.proc, 3, "902 3 9 0 0 0 0\n", "4 ")
	fakeProcess(t, tree.proc, 4, "902 3 9 0 0 0 0\n", "") // not yet its own
	fakeProcess(t, tree.proc, 5, "7000 1000 9 0 0 0 0\n", "")
	tree.look()
	if want := 1123 * page; tree.most != want {
		t.Errorf("%d bytes, want %d", tree.most, want)
	}
	fakeProcess(t, tree.proc, 5, "7000 1 9 0 0 0 0\n", "")
	tree.look()
	if want := 1123 * page; tree.most != want {
		t.Errorf("%d bytes after a process gave memory back, want the most, %d", tree.most, want)
	}
	fakeProcess(t, tree.proc, 4, "90200 2000 9 0 0 0 0\n", "")
	tree.look()
	if want := 2124 * page; tree.most != want {
		t.Errorf("%d bytes, want %d", tree.most, want)
	}
}

// own returns the memory of a process without its children.
func own(pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return -1
	}
	return residentOf(statm)
}

// TestWatchSeesChildren watches a shell that starts another process and waits.
func TestWatchSeesChildren(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/task"); err != nil && runtime.GOOS != "linux" {
		return // there is nothing to read
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", "cat; exit 0")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tree := Watch()
	tree.Add(c.Process.Pid)
	began := time.Now()
	for family := newTree("/proc"); ; { // until there is a child that holds something
		both, root := family.resident(fmt.Sprint(c.Process.Pid), nil), own(c.Process.Pid)
		if root > 0 && both > root {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("after 20 s no child is seen: the tree holds %d bytes, its root alone %d", both, root)
		}
	}
	<-time.After(5 * sampleEvery) // for a look or more
	root := own(c.Process.Pid)
	if got := tree.Stop(); got <= root {
		t.Errorf("the tree held %d bytes at most, its root alone %d", got, root)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}
