package remote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuild verifies that a package built twice for another kind of machine gives
// the same bytes, which need no libraries.
func TestBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": "package main\n\nfunc main() {}\n", "go.mod": "module example.com/x\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var made [2]Bundle
	for i := range made {
		pkg, err := OpenPackage(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pkg.Close)
		path, err := pkg.Build(t.Context(), "linux", "arm64")
		if err != nil {
			t.Fatal(err)
		}
		if made[i], err = ReadBundle(path); err != nil {
			t.Fatal(err)
		}
	}
	if made[0].Machine() != "linux/arm64" || made[0].Bundle != made[1].Bundle || made[0].Size == 0 {
		t.Errorf("built %+v and %+v", made[0].Bundle, made[1].Bundle)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBundle(self); err != nil && !strings.Contains(err.Error(), "CGO_ENABLED=0") { // with the race detector it needs libraries
		t.Error(err)
	}
	if _, err := ReadBundle(filepath.Join(dir, "main.go")); err == nil || !strings.Contains(err.Error(), "not a program made by Go") {
		t.Errorf("of a text file: %v", err)
	}
}
