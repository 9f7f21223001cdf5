package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	engine "github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/store"
)

// TestSortedPartitionsAreBalanced sorts 100,000 distinct keys, in several
// orders and objects, and checks that no part gets much more or less than its
// share: the ranges are cut at sampled keys, and a sample taken at one end of
// an input that is in order would send nearly everything to one partition.
func TestSortedPartitionsAreBalanced(t *testing.T) {
	t.Parallel()
	const keys, partitions = 100_000, 16
	r := rand.New(rand.NewPCG(1, 7))
	random := make([]string, keys)
	for i := range random {
		random[i] = fmt.Sprintf("%016x-%06d", r.Uint64(), i)
	}
	ascending := slices.Sorted(slices.Values(random))
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	// Terasort's records are as long as these lines would be, padded.
	pad := strings.Repeat(".", recordBytes-len(random[0]))
	for _, c := range []struct {
		job, order string
		keys       []string
		objects    int
	}{
		{"sort", "random", random, 1},
		{"sort", "ascending", ascending, 1},
		{"sort", "ascending", ascending, 40},
		{"sort", "descending", descending, 3},
		{"terasort", "random", random, 5},
		{"terasort", "ascending", ascending, 1},
	} {
		t.Run(fmt.Sprintf("%s/%s/%d objects", c.job, c.order, c.objects), func(t *testing.T) {
			t.Parallel()
			end := "\n"
			if c.job == "terasort" {
				end = pad
			}
			objects := make([]strings.Builder, c.objects)
			for i, key := range c.keys {
				objects[i*c.objects/keys].WriteString(key + end)
			}
			stores := store.Options{Mem: new(store.MemSpace)}
			root, err := store.Open(t.Context(), "mem://test/in", stores)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			for i := range objects {
				w, err := root.Create(t.Context(), fmt.Sprintf("object-%02d", i), store.CreateOptions{Class: store.Scratch})
				if err != nil {
					t.Fatal(err)
				}
				defer w.Abort()
				if _, err := w.Write([]byte(objects[i].String())); err != nil {
					t.Fatal(err)
				}
				if err := w.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			job := library.All()[slices.IndexFunc(library.All(), func(j *jobs.Job) bool { return j.Name() == c.job })]
			result, err := engine.Run(t.Context(), job, engine.Options{Input: []string{"mem://test/in"}, Output: "mem://test/out",
				Partitions: partitions, Slots: 2, SplitSize: mebibyte, Stores: stores})
			if err != nil {
				t.Fatal(err)
			}
			got, err := unpackedParts(t.Context(), "mem://test/out", stores, result.Manifest.Parts)
			if err != nil {
				t.Fatal(err)
			}
			if err := firstDifference(got, []byte(strings.Join(ascending, end)+end)); err != nil {
				t.Error(err)
			}
			if len(result.Manifest.Parts) != partitions {
				t.Fatalf("there are %d parts, want %d", len(result.Manifest.Parts), partitions)
			}
			for _, part := range result.Manifest.Parts {
				if share := float64(part.Records) / (keys / partitions); share < 0.6 || share > 1.5 {
					t.Errorf("%s has %d records, %.2f of its share", part.Name, part.Records, share)
				}
			}
		})
	}
}
