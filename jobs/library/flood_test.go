package library_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestWordsThatEndAlikeTakeNoLongerThanOthers counts words whose end took all
// but one factor away from a hash whose values are public. They had one slot of
// the table, and took 300 times as long.
func TestWordsThatEndAlikeTakeNoLongerThanOthers(t *testing.T) {
	t.Parallel()
	const n = 40_000
	count := func(end string) time.Duration {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprintf("w%06d.", i) + end
		}
		best := time.Duration(1<<63 - 1)
		for range 3 {
			began := time.Now()
			r := run(t, "wordcount", minirun.Options{Table: 64 << 20}, minirun.Lines(words...))
			best = min(best, time.Since(began))
			if got := len(r.Sorted()); got != n {
				t.Fatalf("%d words are counted, of %d", got, n)
			}
		}
		return best
	}
	usual, chosen := count("eightend"), count("\x2b\xf8\x94\xfe\x72\xf3\x6e\x3c")
	if chosen > 10*usual {
		t.Errorf("words that end alike take %v, others %v", chosen, usual)
	}
}
