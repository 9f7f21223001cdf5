//go:build image

package image

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImage: the image holds the binary, authorities, and a place to write to,
// and it does not run as root.
func TestImage(t *testing.T) {
	t.Parallel()
	text, err := dockerTo(t.Context(), "image", "inspect", "--format", "{{json .}}", name)
	if err != nil {
		t.Fatal(err)
	}
	var image struct {
		Size   int64
		Config struct{ User string }
	}
	if err := json.Unmarshal([]byte(text), &image); err != nil {
		t.Fatal(err)
	}
	t.Logf("the image has %.1f MB", float64(image.Size)/1e6)
	if image.Size > 80e6 {
		t.Errorf("the image has %d bytes", image.Size)
	}
	if image.Config.User != "65532:65532" {
		t.Errorf("the image runs as %q", image.Config.User)
	}
	if files := contents(t); !slices.Equal(files, []string{"bin/windrow", "etc/ssl/certs/ca-certificates.crt", "var/windrow/"}) {
		t.Errorf("the image holds %q", files)
	}
	if out, err := dockerTo(t.Context(), "run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", name, "-c", "true"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a shell in the image says %q, %v", out, err)
	}
}

// contents returns the files of the image, and its empty directories, without
// those that Docker puts into every container.
func contents(t *testing.T) (files []string) {
	t.Helper()
	id, err := dockerTo(t.Context(), "create", name)
	if err != nil {
		t.Fatal(err)
	}
	id = strings.TrimSpace(id)
	tarball := filepath.Join(t.TempDir(), "image.tar")
	_, err = dockerTo(t.Context(), "export", "-o", tarball, id)
	if _, gone := dockerTo(t.Context(), "rm", id); err != nil || gone != nil {
		t.Fatal(err, gone)
	}
	list, err := exec.CommandContext(t.Context(), "tar", "-tf", tarball).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(list))
	for _, file := range all {
		parent := strings.HasSuffix(file, "/") && slices.ContainsFunc(all, func(f string) bool { return f != file && strings.HasPrefix(f, file) })
		dockers := slices.Contains([]string{".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"}, file) ||
			slices.ContainsFunc([]string{"dev/", "proc/", "sys/"}, func(d string) bool { return strings.HasPrefix(file, d) })
		if !parent && !dockers {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// TestImageRuns: the binary needs no other file to run. It reports its version
// and its commit; it uses only the files that it has; and TLS knows
// authorities.
func TestImageRuns(t *testing.T) {
	t.Parallel()
	alone := func(args ...string) (string, error) {
		return dockerTo(t.Context(), append([]string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", name}, args...)...)
	}
	out, err := alone("version", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var version struct{ Module, Revision, Platform string }
	if err := json.Unmarshal([]byte(out), &version); err != nil {
		t.Fatal(err)
	}
	if version.Module != "github.com/windrow-mr/windrow" || version.Revision != revision || !strings.HasPrefix(version.Platform, "linux/") {
		t.Errorf("the image is of %+v, at %s", version, revision)
	}
	for args, words := range map[string]string{"--help": "submit", "worker --help": "--slots", "jobs": "wordcount"} {
		if out, err := alone(strings.Fields(args)...); err != nil || !strings.Contains(out, words) {
			t.Errorf("windrow %s says %q, %v", args, out, err)
		}
	}
	// A master listens beyond loopback only with a token, also in a container.
	out, err = dockerTo(t.Context(), "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/var/windrow:uid=65532,gid=65532", "--cap-drop", "ALL", name,
		"master", "--root", "/var/windrow/root", "--listen", ":7411")
	if err == nil || !strings.Contains(err.Error(), "--token-file") {
		t.Errorf("a master without a token says %q, %v", out, err)
	}
}

// TestJobsInOneContainer runs a job in one process, on a directory of the host.
func TestJobsInOneContainer(t *testing.T) {
	t.Parallel()
	dir := shared(t)
	write(t, filepath.Join(dir, "in"), "to be or\nnot to be\n")
	_, err := dockerTo(t.Context(), "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/var/windrow", "-v", dir+":/data", name,
		"run", "wordcount", "--input", "/data/in", "--out", "/data/out")
	if err != nil {
		t.Fatal(err)
	}
	out, err := dockerTo(t.Context(), "run", "--rm", "--network", "none", "--read-only", "-v", dir+":/data:ro", name, "cat", "/data/out")
	if err != nil {
		t.Fatal(err)
	}
	if got := sorted(out); got != "be\t2\nnot\t1\nor\t1\nto\t2\n" {
		t.Errorf("counted %q", got)
	}
}

// shared returns a directory that belongs to the user of the image.
func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	// Only their user can read the directories of tests.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	give(t, dir)
	return dir
}

// user of the image.
const user = 65532

func give(t *testing.T, file string) {
	t.Helper()
	if err := os.Chown(file, user, user); err != nil {
		t.Fatal(err)
	}
}

// write writes a file of the image's user.
func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o400); err != nil {
		t.Fatal(err)
	}
	give(t, file)
}

// sorted returns lines in order.
func sorted(text string) string {
	lines := slices.Sorted(strings.Lines(text))
	return strings.Join(lines, "")
}
