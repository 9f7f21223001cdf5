package library_test

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// TestChosenWordsTakeLittleLongerThanOthers counts words that the author of a text
// can choose, because the hash of keys is public: words that end in what took all but
// one factor away from the hash, and words of one hash. The time of each grew with the
// number of those before it; 40,000 took 300 times as long as others.
func TestChosenWordsTakeLittleLongerThanOthers(t *testing.T) {
	t.Parallel()
	const n = 40_000
	count := func(words []string) time.Duration {
		best := time.Duration(1<<63 - 1)
		for range 2 {
			began := time.Now()
			r := run(t, "wordcount", minirun.Options{Table: 64 << 20}, minirun.Lines(words...))
			best = min(best, time.Since(began))
			if got := len(r.Sorted()); got != n {
				t.Fatalf("%d words are counted, of %d", got, n)
			}
		}
		return best
	}
	alike := collisions(n)
	for _, w := range alike {
		if pairs.Hash([]byte(w)) != pairs.Hash([]byte(alike[0])) {
			t.Fatal("the words do not have one hash")
		}
	}
	ends, usual, long := make([]string, n), make([]string, n), make([]string, n)
	for i := range n {
		ends[i] = fmt.Sprintf("w%06d.\x2b\xf8\x94\xfe\x72\xf3\x6e\x3c", i)
		usual[i] = fmt.Sprintf("w%06d.eightend", i)
		long[i] = fmt.Sprintf("%0*d", len(alike[i]), i)
	}
	if chosen, others := count(ends), count(usual); chosen > 10*others {
		t.Errorf("words that end alike take %v, others %v", chosen, others)
	}
	if chosen, others := count(alike), count(long); chosen > 10*others {
		t.Errorf("words of one hash take %v, others %v", chosen, others)
	}
}

// collisions returns n words of one hash. The hash multiplies the halves of each
// block of 16 bytes, and a product stays the same when its factors change
// places. So each block has two forms, and a word of k blocks has 1<<k.
func collisions(n int) []string {
	const (
		mix1, mix2, mix3, mix4 = uint64(0x6a09e667f3bcc909), uint64(0xbb67ae8584caa73b), uint64(0x3c6ef372fe94f82b), uint64(0xa54ff53a5f1d36f1)
		end                    = "."
	)
	var blocks [][2]string
	count := bits.Len(uint(n - 1))
	state := mix1 ^ uint64(16*count+len(end))*mix4
	r := rand.New(rand.NewPCG(1, 1))
	for len(blocks) < count {
		lo, hi := r.Uint64(), r.Uint64()
		first, second := lo^mix2^state, hi^mix3
		forms := [2]string{block(lo, hi), block(second^mix2^state, first^mix3)}
		if strings.ContainsAny(forms[0]+forms[1], " \t\n\v\f\r") {
			continue // it would be two words
		}
		blocks = append(blocks, forms)
		high, low := bits.Mul64(first, second)
		state = high ^ low
	}
	words := make([]string, n)
	for w := range words {
		for i, forms := range blocks {
			words[w] += forms[w>>i&1]
		}
		words[w] += end
	}
	return words
}

func block(lo, hi uint64) string {
	return string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, lo), hi))
}
