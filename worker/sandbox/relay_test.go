//go:build linux

package sandbox_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/relay"
	"github.com/windrow-mr/windrow/worker/sandbox"
)

// TestStorage verifies that a process without any access of its own reads and
// writes what its worker lets it. If it dies before a commit, nothing of the
// object is there.
func TestStorage(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mem://", "file"} {
		for _, die := range []string{"", "die"} {
			t.Run(url+die, func(t *testing.T) {
				t.Parallel()
				at := url
				if url == "file" {
					at = t.TempDir()
				}
				root, err := store.Open(t.Context(), at, store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				body := bytes.Repeat([]byte("hay"), 1<<20)
				for _, key := range []string{"in", "theirs"} {
					if err := root.Put(t.Context(), key, body, store.Scratch); err != nil {
						t.Fatal(err)
					}
				}
				p, served := serveProcess(t, root, die)
				err = p.Wait()
				out, errs := p.Output()
				if err := <-served; err != nil {
					t.Errorf("Serve: %v", err)
				}
				got, getErr := root.Get(t.Context(), "out/x", 16<<20)
				if die == "die" {
					if plan.KindOf(getErr) != plan.NotFound || err == nil {
						t.Errorf("of a process that died (%v): %d bytes, %v", err, len(got), getErr)
					}
					return
				}
				if err != nil || getErr != nil || !bytes.Equal(got, bytes.ToUpper(body)) {
					t.Errorf("%v, %v, %d bytes; it said %q, %q", err, getErr, len(got), out, errs)
				}
				if !strings.Contains(out, "permission denied") {
					t.Errorf("another's object: %q", out)
				}
			})
		}
	}
}

// serveProcess starts a process that may read "in" and write below "out".
func serveProcess(t *testing.T, root *store.Root, how string) (*sandbox.Process, <-chan error) {
	t.Helper()
	conn, theirs, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	token := make([]byte, relay.TokenSize)
	rand.Read(token)
	served := make(chan error, 1)
	go func() {
		served <- relay.Serve(t.Context(), conn, relay.Config{
			Token: token, Roots: map[string]*store.Root{"job": root},
			Policy: relay.NewPolicy(map[string]relay.Grant{"job": {Read: []string{"in"}, Scratch: []string{"out/**"}}}),
		})
	}()
	p := start(t, sandbox.Config{Files: []*os.File{theirs}, Env: []string{"TOKEN=" + hex.EncodeToString(token)}, Memory: 256 << 20}, "relay", how)
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	return p, served
}
