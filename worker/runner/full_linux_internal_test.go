package runner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// smallDisk returns the path of a file system with so many bytes, which exists
// until the end of the test.
func smallDisk(t *testing.T, size int) (string, error) {
	t.Helper()
	maker, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return "", err
	}
	defer unix.Close(maker)
	if err = unix.FsconfigSetString(maker, "size", fmt.Sprint(size)); err != nil {
		return "", err
	}
	if err = unix.FsconfigCreate(maker); err != nil {
		return "", err
	}
	fd, err := unix.Fsmount(maker, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

// apart says that this process was started by its test, where it may mount.
const apart = "WINDROW_TEST_APART"

// asRoot runs a test again in a process that is root in a namespace of its own.
func asRoot(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}}
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Logf("no file system can be made here: %v", err)
		return
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
}

// TestFullDiskTakesUnusedPrograms verifies that on a disk with less room than the
// limit unused programs are removed, the least recently used first, and no more
// than needed. Programs in use stay; then an error says so.
func TestFullDiskTakesUnusedPrograms(t *testing.T) {
	t.Parallel()
	const disk, small, large = 1 << 20, 300 << 10, 600 << 10 // bytes
	dir, err := smallDisk(t, disk)
	if err != nil {
		if os.Getenv(apart) != "" {
			t.Fatal(err)
		}
		asRoot(t)
		return
	}
	root, err := store.Open(t.Context(), "mem://cluster", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := openBundles(root, dir+"/bundles", 100*disk, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var programs []plan.Bundle
	for i, size := range []int{small, small, small, small, small, small, large} {
		body := bytes.Repeat([]byte{byte(i)}, size)
		sum := sha256.Sum256(body)
		p := plan.Bundle{Digest: hex.EncodeToString(sum[:]), Size: int64(size)}
		if err := root.Put(t.Context(), plan.BundleKey(p.Digest, 0), body, store.Durable); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, p)
	}
	use := func(i int) (release func()) {
		t.Helper()
		_, release, err := b.get(t.Context(), programs[i])
		if err != nil {
			t.Fatalf("program %d: %v", i, err)
		}
		return release
	}
	have := func(want ...int) {
		t.Helper()
		files, err := os.ReadDir(b.dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, f := range files {
			got = append(got, slices.IndexFunc(programs, func(p plan.Bundle) bool { return p.Digest == f.Name() }))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("programs %v are kept, not %v", got, want)
		}
	}
	releases := []func(){use(0), use(1), use(2)}
	have(0, 1, 2)
	releases[1]()
	releases[0]()
	third := use(3)
	have(0, 2, 3)
	fourth := use(4)
	have(2, 3, 4)
	_, _, err = b.get(t.Context(), programs[5])
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), "make room in "+b.dir) {
		t.Errorf("while all are used: %v", err)
	}
	have(2, 3, 4)
	fourth()
	third()
	releases[2]()
	use(6)
	have(2, 6)
}
