package integration

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	engine "github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/store"
)

// TestSortedPartitionsAreBalanced verifies that no part of a sort of 100,000
// distinct keys, in several orders and objects, gets much more or less than its
// share. The ranges are cut at sampled keys, and a sample from one end of an
// input in order would send nearly everything to one partition.
func TestSortedPartitionsAreBalanced(t *testing.T) {
	t.Parallel()
	const keys = 100_000
	r := rand.New(rand.NewPCG(1, 7))
	random := make([]string, keys)
	for i := range random {
		random[i] = fmt.Sprintf("%016x-%06d", r.Uint64(), i)
	}
	ascending := slices.Sorted(slices.Values(random))
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	// Terasort's records are as long as these lines with padding.
	pad := strings.Repeat(".", recordBytes-len(random[0]))
	for _, c := range []struct {
		job, order string
		keys       []string
		objects    int
		partitions int
	}{
		{"sort", "random", random, 1, 16},
		{"sort", "ascending", ascending, 1, 16},
		{"sort", "ascending", ascending, 40, 16},
		{"sort", "descending", descending, 3, 16},
		{"sort", "ascending", ascending, 2, 200},
		{"terasort", "random", random, 5, 16},
		{"terasort", "ascending", ascending, 1, 16},
	} {
		t.Run(fmt.Sprintf("%s/%s/%d objects/%d partitions", c.job, c.order, c.objects, c.partitions), func(t *testing.T) {
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
				if err := create(t.Context(), root, fmt.Sprintf("object-%02d", i), objects[i].String()); err != nil {
					t.Fatal(err)
				}
			}
			job := library.All()[slices.IndexFunc(library.All(), func(j *jobs.Job) bool { return j.Name() == c.job })]
			result, err := engine.Run(t.Context(), job, engine.Options{Input: []string{"mem://test/in"}, Output: "mem://test/out",
				Partitions: c.partitions, Slots: 2, SplitSize: mebibyte, Stores: stores})
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
			if len(result.Manifest.Parts) != c.partitions {
				t.Fatalf("there are %d parts, want %d", len(result.Manifest.Parts), c.partitions)
			}
			for _, part := range result.Manifest.Parts {
				if share := float64(part.Records) / float64(keys/c.partitions); share < 0.6 || share > 1.5 {
					t.Errorf("%s has %d records, %.2f of its share", part.Name, part.Records, share)
				}
			}
		})
	}
}

// create writes an object of any size.
func create(ctx context.Context, root *store.Root, key, text string) error {
	w, err := root.Create(ctx, key, store.CreateOptions{Class: store.Scratch})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Commit()
}
