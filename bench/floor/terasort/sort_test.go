package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/bench/floor"
)

func sorted(t *testing.T, data []byte, workers int) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sortRecords(data, f, workers); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSortAgreesWithNaiveProgram compares with a sort of whole records. Few
// different bytes make equal keys and keys that differ only at the end.
func TestSortAgreesWithNaiveProgram(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for _, different := range []int{1, 2, 3, 256} {
		for _, n := range []int{0, 1, 2, 1000, 20_000} {
			data := make([]byte, n*recordSize)
			for i := range data {
				data[i] = byte(r.IntN(different))
				if different == 2 && i%recordSize < 8 {
					data[i] = 'k'
				}
			}
			records := slices.Collect(slices.Chunk(data, recordSize))
			slices.SortFunc(records, bytes.Compare)
			want := bytes.Join(records, nil)
			for workers := 1; workers < 4; workers++ {
				if got := sorted(t, data, workers); !bytes.Equal(got, want) {
					t.Errorf("%d records of %d different bytes, %d workers: not what sorting whole records gives", n, different, workers)
				}
			}
		}
	}
}

func TestPartOfARecordIsAnError(t *testing.T) {
	t.Parallel()
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, make([]byte, recordSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := floor.Main([]string{"terasort", in, in + ".sorted"}, &stderr, program); code != 1 || !strings.Contains(stderr.String(), "101 bytes") {
		t.Errorf("exit code %d, %q; want 1 and a word about 101 bytes", code, stderr.String())
	}
}
