package shuffle

import (
	"math/rand/v2"
	"testing"
)

func TestHowManyPartitionsAreFetchedAtOnce(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		shape Shape
		group int
		gets  int64
	}{
		"1 GB of 64 × 64: 4 × 244 KB are nearly 1 MiB, 8 need 125 MB": {Shape{Runs: 64, Partitions: 64, Bytes: 1e9, Memory: 472 * mib, Remote: true}, 4, 1024},
		"with more memory":                {Shape{Runs: 64, Partitions: 64, Bytes: 1e9, Memory: 512 * mib, Remote: true}, 8, 512},
		"with little":                     {Shape{Runs: 64, Partitions: 64, Bytes: 1e9, Memory: 64 * mib, Remote: true}, 1, 4096},
		"a mebibyte each":                 {Shape{Runs: 10, Partitions: 10, Bytes: 100 * mib, Memory: 400 * mib, Remote: true}, 1, 100},
		"half a mebibyte":                 {Shape{Runs: 10, Partitions: 10, Bytes: 50 * mib, Memory: 400 * mib, Remote: true}, 2, 50},
		"tiny extents":                    {Shape{Runs: 1000, Partitions: 1000, Bytes: 100 * mib, Memory: 400 * mib, Remote: true}, 64, 16_000},
		"few partitions":                  {Shape{Runs: 100, Partitions: 6, Bytes: mib, Memory: 400 * mib, Remote: true}, 4, 200},
		"one":                             {Shape{Runs: 100, Partitions: 1, Bytes: mib, Memory: 400 * mib, Remote: true}, 1, 100},
		"a group for each of 8 processes": {Shape{Runs: 100, Partitions: 64, Bytes: mib, Memory: 400 * mib, Holders: 8, Remote: true}, 8, 800},
		"more processes than partitions":  {Shape{Runs: 100, Partitions: 64, Bytes: mib, Memory: 400 * mib, Holders: 100, Remote: true}, 1, 6400},
		"40 MiB extents that fit":         {Shape{Runs: 2, Partitions: 2, Bytes: 160 * mib, Memory: 400 * mib, Remote: true}, 1, 12},
		"extents that do not":             {Shape{Runs: 10, Partitions: 4, Bytes: 1600 * mib, Memory: 160 * mib, Remote: true}, 1, 10 * 4 * 20},
		"files":                           {Shape{Runs: 10, Partitions: 10, Bytes: 100 << 10, Memory: 400 * mib}, 1, 100},
		"files of several batches":        {Shape{Runs: 10, Partitions: 10, Bytes: 100 * mib, Memory: 400 * mib}, 1, 500},
		"nothing":                         {Shape{Partitions: 10, Memory: 400 * mib, Remote: true}, 1, 0},
	} {
		if got := c.shape.ReadGroup(); got != c.group {
			t.Errorf("%s: groups of %d, want %d", name, got, c.group)
		}
		if got := c.shape.Gets(); got != c.gets {
			t.Errorf("%s: %d requests, want %d", name, got, c.gets)
		}
	}
}

func TestGroupsAreNeverWorseThanNone(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		s := Shape{Runs: 1 + rng.IntN(5000), Partitions: 1 + rng.IntN(5000), Bytes: rng.Int64N(1 << uint(rng.IntN(45))),
			Memory: rng.Int64N(4 << 30), Holders: rng.IntN(50), Remote: true}
		g := int64(s.ReadGroup())
		if g < 1 || g > groupMost || g&(g-1) != 0 {
			t.Fatalf("%+v: groups of %d", s, g)
		}
		if g > 1 && g*s.Bytes/int64(s.Partitions) > s.Memory/4 {
			t.Fatalf("%+v: a group of %d takes more than a quarter of the memory", s, g)
		}
		if g > 1 && g/2*s.Bytes >= getLeast*int64(s.Runs)*int64(s.Partitions) {
			t.Fatalf("%+v: half a group of %d would do", s, g)
		}
		local := s
		local.Memory = MinShare // no room for groups
		if s.Gets() > local.Gets() {
			t.Fatalf("%+v: %d requests in groups, %d without", s, s.Gets(), local.Gets())
		}
	}
}
