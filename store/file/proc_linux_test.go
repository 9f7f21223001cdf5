package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// walkAll finds all objects of a root.
func walkAll(t *testing.T, r *store.Root, match func(string) bool) ([]store.Object, error) {
	t.Helper()
	return r.Walk(t.Context(), store.Walk{Enter: func(string, string) (string, bool) { return "", false }, Match: match, Skip: func(string, bool) {}})
}

// TestFilesWithoutSizeAreNotEmpty: a file below /proc says that it has 0 bytes, and was
// read as empty. It is refused, if it is named and if it matches.
func TestFilesWithoutSizeAreNotEmpty(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "/proc/self", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = root.Stat(t.Context(), "status")
	_, walked := walkAll(t, root, func(key string) bool { return key == "status" })
	for what, err := range map[string]error{"named": err, "found": walked} {
		if plan.KindOf(err) != plan.Invalid || !strings.Contains(err.Error(), "/proc/self/status") || !strings.Contains(err.Error(), "copy it") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if found, err := walkAll(t, root, func(string) bool { return false }); err != nil || len(found) > 0 {
		t.Errorf("files that do not match: %v, %v", found, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := store.Open(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	if o, err := here.Stat(t.Context(), "empty"); err != nil || o.Size != 0 {
		t.Errorf("an empty file: %+v, %v", o, err)
	}
}

// TestSpecialFilesAreNamed: an input that is no file is refused by what it is.
func TestSpecialFilesAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{filepath.Join(dir, "fifo"): "it is a pipe", "/dev/null": "it is a character device"} {
		root, key, err := store.Locate(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := store.Open(t.Context(), root, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Stat(t.Context(), key)
		_, opened := r.OpenObject(t.Context(), key, "")
		for _, err := range []error{err, opened} {
			if plan.KindOf(err) != plan.Invalid || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "to a file") {
				t.Errorf("%s: %v", name, err)
			}
		}
		_ = r.Close()
	}
}
