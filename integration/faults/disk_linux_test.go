//go:build faults

package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// TestFault26FullDisk: a worker whose disk has no room for the program of a job
// says so once, and the job continues elsewhere; the worker gets no more tasks of
// it. If there is no other worker, the job fails for that
// reason. When there is room again the worker works, and never with a part of a
// program.
func TestFault26FullDisk(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(*testing.T, string) *disk{"file system": newFullDisk, "size of files": newLimitedFiles} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := onFiles(t)
			in := c.write(8, 20)
			m := c.leader(patient)
			d := fill(t, filepath.Join(c.dir, "disk"))
			full := c.workerOn(d)
			good := c.worker(1)
			eventually(t, "both workers are there", c.has(2))
			id := c.submit("tally", "out", c.slow("10ms", "1ms", 20, 1)...)
			c.failsForRoom(id, d.words)
			c.tallied(id, "out", in)
			c.mostly(1)
			c.leftOut(full)

			good.signal(syscall.SIGTERM)
			if code := good.wait(); code != 0 {
				t.Errorf("the worker that was asked to end ends with %d", code)
			}
			if all {
				alone := c.submit("tally", "out-2", splitFlags(20)...)
				if code, said := c.ends(alone); code == 0 || !strings.Contains(said, d.words) || !strings.Contains(said, elsewhere) {
					t.Errorf("with no room for its program the job ends with %d: %s", code, said)
				}
			}
			d.empty()
			d.free()
			c.half(id, d)
			c.tallied(c.submit("tally", "out-3", splitFlags(20)...), "out-3", in)
			if strings.Contains(m.said.String(), "a worker is lost") {
				t.Error("a worker was considered lost")
			}
		})
	}
}

const (
	// enough is the number of failures after which a worker without room is left out.
	enough    = 1
	elsewhere = "let the worker keep programs elsewhere by --cache"
)

// failsForRoom waits until enough attempts have failed, and checks that their
// tasks say why, and what to do.
func (c *cluster) failsForRoom(id plan.JobID, words string) {
	c.t.Helper()
	eventually(c.t, "attempts fail on the full disk", func() bool {
		tasks, err := c.client.Tasks(c.t.Context(), id, client.TasksQuery{})
		if err != nil {
			c.t.Fatal(err)
		}
		failed := 0
		for _, task := range tasks.Tasks {
			if failed += task.Failures; task.Failures > 0 && (!strings.Contains(task.Error, words) || !strings.Contains(task.Error, elsewhere)) {
				c.t.Fatalf("%s failed since %q, want %q and %q", task.Task, task.Error, words, elsewhere)
			}
		}
		return failed >= enough
	})
}

// leftOut checks that a worker got no more tasks after it had failed often
// enough.
func (c *cluster) leftOut(w *process) {
	c.t.Helper()
	all, err := c.client.Workers(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	if i := slices.IndexFunc(all, func(o client.Worker) bool { return o.PID == w.cmd.Process.Pid }); i < 0 || all[i].Failures != enough {
		c.t.Errorf("on the worker with the full disk %d attempts must have failed: %+v", enough, all)
	}
}

// half puts half of the program of a job where the worker looks for it, as a
// machine does that loses power.
func (c *cluster) half(id plan.JobID, d *disk) {
	c.t.Helper()
	spec, err := c.client.Spec(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	program, err := os.ReadFile(testjobs)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.dir, "bundles", spec.Bundles[0].Digest), program[:len(program)/2], 0o700)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// disk is a place for a worker's cache without room for the program of a job.
type disk struct {
	t     *testing.T
	dir   string // as this process sees it
	cache string // as the worker does
	words string // of the error
	start func(*exec.Cmd)
	after func(*exec.Cmd)
	free  func() // makes room
}

// workerOn starts a worker with one slot that has its cache on a disk.
func (c *cluster) workerOn(d *disk) *process {
	c.t.Helper()
	c.processes++
	p := prepare(c.t, fmt.Sprintf("worker %d", c.processes), nil, "worker", "--root", c.rootURL, "--allow", c.dataURL,
		"--slots", "1", "--memory", "512MiB", "--cache", d.cache)
	d.start(p.cmd)
	p.begin()
	d.after(p.cmd)
	p.says("windrow: worker")
	return p
}

// empty checks that nothing is left of fetched programs.
func (d *disk) empty() {
	d.t.Helper()
	files, err := os.ReadDir(filepath.Join(d.dir, "bundles"))
	if err != nil || len(files) > 0 {
		d.t.Errorf("left on the full disk: %v, %v", files, err)
	}
}

// room is the free space of a full disk, and most of a file where sizes are
// limited.
const room = 4 << 20

// newLimitedFiles makes a directory in which a worker cannot make a large file.
func newLimitedFiles(t *testing.T, dir string) *disk {
	t.Helper()
	d := &disk{t: t, dir: dir, cache: dir, words: "file too large"}
	var pid int
	d.start = func(cmd *exec.Cmd) { through(cmd, limited, dir) }
	d.after = func(cmd *exec.Cmd) { pid = cmd.Process.Pid }
	d.free = func() {
		none := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &none, nil); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// newFullDisk makes a file system for the worker with little room; if that is
// impossible, it limits the size of files.
func newFullDisk(t *testing.T, dir string) *disk {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := mayMount(dir); err != nil {
		t.Logf("no file system can be mounted here: %v: %s", err, out)
		return newLimitedFiles(t, dir)
	}
	d := &disk{t: t, cache: dir, words: "no space left on device"}
	ours, theirs := pair(t)
	d.start = func(cmd *exec.Cmd) {
		through(cmd, mounted, dir)
		apart(cmd)
		cmd.ExtraFiles = []*os.File{theirs}
	}
	d.after = func(*exec.Cmd) {
		_ = theirs.Close() // else the end of the worker would not be visible
		d.dir = fmt.Sprintf("/proc/self/fd/%d", receive(t, ours))
	}
	d.free = func() {
		if err := os.Remove(filepath.Join(d.dir, ballast)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// The ways in which this program runs another one, see confined.
const (
	limited = "with files of limited size"
	mounted = "on a disk of its own"
	probing = "on a disk, if there can be one"
	ballast = "ballast" // fills a disk
)

// through makes a command run by way of this program, which confines itself
// first.
func through(cmd *exec.Cmd, how, dir string) {
	cmd.Args = append([]string{os.Args[0], how, dir, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/proc/self/exe"
}

// apart gives a command its own mounts: root may do so, and other users who are
// root in a user namespace. It is the same user there as here.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() == 0 {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN},
	}
}

// mayMount tries whether a file system can be mounted at all.
func mayMount(dir string) (out []byte, err error) {
	cmd := exec.Command("/bin/true")
	through(cmd, probing, dir)
	apart(cmd)
	return cmd.CombinedOutput()
}

// confined does what a test has asked of this program: it limits itself, and
// becomes the program that was named. It returns only with an error.
func confined() (bool, error) {
	if len(os.Args) < 4 || !slices.Contains([]string{limited, mounted, probing}, os.Args[1]) {
		return false, nil
	}
	runtime.LockOSThread() // capabilities belong to a thread
	how, dir, program := os.Args[1], os.Args[2], os.Args[3:]
	var err error
	switch how {
	case limited:
		err = unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: room, Max: unix.RLIM_INFINITY})
	case mounted, probing:
		err = mount(dir)
		if err == nil && how == mounted {
			err = fill(dir)
		}
		err = errors.Join(err, unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
	}
	if err != nil {
		return true, err
	}
	return true, &fs.PathError{Op: "exec", Path: program[0], Err: syscall.Exec(program[0], program, os.Environ())}
}

// diskSize is the size of a full disk: any program fits when nothing else is
// there.
const diskSize = 64 << 20

func mount(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keep mounts to this process: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=0700", diskSize)); err != nil {
		return fmt.Errorf("mount at %s: %w", dir, err)
	}
	return nil
}

// fill fills a disk except for some room, and passes its directory to the
// parent process.
func fill(dir string) error {
	f, err := os.Create(filepath.Join(dir, ballast))
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for range (diskSize - room) / len(block) {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	const parent = 3
	err = unix.Sendmsg(parent, nil, unix.UnixRights(int(d.Fd())), nil, 0)
	return errors.Join(err, d.Close(), f.Close(), unix.Close(parent))
}

// pair returns two ends of a socket.
func pair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// receive receives a descriptor from a socket; it is closed when the test ends.
func receive(t *testing.T, from *os.File) int {
	t.Helper()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, flags, _, err := unix.Recvmsg(int(from.Fd()), nil, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || flags&unix.MSG_CTRUNC != 0 {
		t.Fatalf("the worker's disk was not passed: flags %#x, %v", flags, err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("the worker's disk was not passed: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("the worker's disk was not passed: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[0]) })
	return fds[0]
}
