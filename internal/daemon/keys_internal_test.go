package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGossipKeysOfOthers: a file of gossip keys that other users can read is refused, as
// a file of tokens is: a peer with the key takes part in gossip.
func TestGossipKeysOfOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := readKeys(file); err != nil || len(keys) != 1 {
		t.Errorf("a file of one's own: %d keys, %v", len(keys), err)
	}
	for _, mode := range []os.FileMode{0o604, 0o640, 0o606, 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := readKeys(file); err == nil || !strings.Contains(err.Error(), "chmod 600") || !strings.Contains(err.Error(), file) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}
