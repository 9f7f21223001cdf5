package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// listing is a driver that lists keys in pages of a given size, as a bucket
// does: with a round trip for each. It has only the keys.
type listing struct {
	driver.Driver
	keys     []string
	pageSize int
	delay    time.Duration
	careless bool // begins every listing at its beginning
	sparse   bool // every other page is empty, and not the last
	failAt   string

	requests, inFlight, peak atomic.Int32
}

func (d *listing) Traits() driver.Traits {
	return driver.Traits{URL: "test://list", Remote: true, PartSize: 1024}
}

func (d *listing) List(prefix string) driver.Pager { return &listingPager{driver: d, prefix: prefix} }

func (d *listing) ListAfter(prefix, after string) driver.Pager {
	if d.careless {
		after = ""
	}
	return &listingPager{driver: d, prefix: prefix, after: after}
}

// inTurn hides that a listing may begin anywhere.
type inTurn struct{ driver.Driver }

type listingPager struct {
	driver        *listing
	prefix, after string
	calls         int
}

func (p *listingPager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	d := p.driver
	d.requests.Add(1)
	now := d.inFlight.Add(1)
	defer d.inFlight.Add(-1)
	for peak := d.peak.Load(); now > peak && !d.peak.CompareAndSwap(peak, now); {
		peak = d.peak.Load()
	}
	if d.delay > 0 {
		select {
		case <-time.After(d.delay):
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	if p.calls++; d.sparse && p.calls%2 == 1 {
		return nil, false, nil
	}
	i, _ := slices.BinarySearch(d.keys, max(p.prefix, p.after))
	for ; i < len(d.keys) && strings.HasPrefix(d.keys[i], p.prefix); i++ {
		if d.keys[i] == p.after {
			continue
		}
		if len(page) == d.pageSize {
			p.after = page[len(page)-1].Key
			return page, false, nil
		}
		if d.failAt != "" && d.keys[i] >= d.failAt {
			return nil, false, driver.Fail(plan.Denied, "no further")
		}
		page = append(page, store.Object{Key: d.keys[i], Size: int64(len(d.keys[i]))})
	}
	return page, true, nil
}

// open opens a root on the listing.
func (d *listing) open(t testing.TB, parallel bool) *store.Root {
	t.Helper()
	d.keys = slices.Compact(slices.Sorted(slices.Values(d.keys)))
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(inner driver.Driver) driver.Driver {
		d.Driver = inner
		if !parallel {
			return inTurn{d}
		}
		return d
	}})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// naive lists without any pages.
func (d *listing) naive(prefix string) []string {
	var keys []string
	for _, k := range d.keys {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

func listKeys(t *testing.T, root *store.Root, prefix string) []string {
	t.Helper()
	var keys []string
	for o, err := range root.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Size != int64(len(o.Key)) {
			t.Fatalf("object %+v", o)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// distributions are ways in which people name objects.
func distributions(r *rand.Rand) map[string][]string {
	all := map[string][]string{}
	add := func(name, format string, args ...any) {
		all[name] = append(all[name], fmt.Sprintf(format, args...))
	}
	for i := range 50_000 {
		add("one directory", "input/part-%05d.txt", i)
	}
	pick := func(alphabet string, n int) string {
		runes := []rune(alphabet)
		out := make([]rune, n)
		for i := range out {
			out[i] = runes[r.IntN(len(runes))]
		}
		return string(out)
	}
	const small = "abcdefghijklmnopqrstuvwxyz"
	for i := range 8000 {
		add("digits without zeros", "%d", i*7)
		add("hexadecimal", "%016x", r.Uint64())
		add("HEXADECIMAL", "x/%08X/data", r.Uint32())
		add("base64", "blob/%s", pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ"+small+"0123456789-_", 12))
		add("words", "%s/%s.json", pick(small, 3), pick(small, 6))
		add("UTF-8", "日誌/%s/%s", pick("東京都大阪府京都ünïcödé😀", 3), pick("あいうえおかきくけこさしすせそ", 5))
		add("dates", "logs/2026-%02d-%02d/host-%02d/%02d.gz", 1+r.IntN(12), 1+r.IntN(28), r.IntN(40), r.IntN(24))
		add("deep", "%s", strings.Repeat("d/", 1+r.IntN(40))+pick("abc", 1+r.IntN(3))+fmt.Sprint(r.IntN(40)))
		add("prefixes of others", "%s", strings.Repeat("a", i%200)+pick("ab", r.IntN(8)+1))
		add("skewed", "%s/%d", pick("aaaaaaaaab", 9), r.IntN(1000))
		add("few and far", "%c%c%c/%d", ' '+r.IntN(90), ' '+r.IntN(90), ' '+r.IntN(90), i)
		add("bytes", "%s", []byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 'x'})
		add("long common part", "%s%d", strings.Repeat("same/2026/", 20), r.IntN(100_000))
		add("last digits first", "%s", reversed(fmt.Sprintf("%06d", i)))
	}
	for i := range 20 {
		add("short", "k%d", i)
	}
	for i := range 9000 {
		add("clusters", "c%02d/%05d", i/150, i%150)
		add("clusters", "c%02d/%d0000-x", i/150, i%10)
	}
	// The keys begin as densely as a page of 100 allows, and continue sparsely,
	// with characters that were seen before: guessed ranges have next to no keys.
	const first, many = 0x4e00, 1200
	for group := range 10 {
		for i := range 100 + many {
			tail := make([]rune, 12)
			for j := range tail {
				tail[j] = first + rune(r.IntN(many))
			}
			add("sparse after dense", "g%d/%c%s", group, first+rune(max(0, i-98)), string(tail))
		}
	}
	return all
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// TestListRanges compares with a naive listing, and counts the requests.
func TestListRanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		for name, keys := range distributions(rand.New(rand.NewPCG(seed, 1))) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(seed, 2))
				pageSize := []int{1000, 7, 100}[seed]
				if len(keys) > 10_000 {
					pageSize = max(pageSize, 100)
				}
				d := &listing{keys: keys, pageSize: pageSize, sparse: seed == 2}
				root := d.open(t, true)
				prefixes := []string{"", keys[r.IntN(len(keys))], "none"}
				for range 6 {
					k := keys[r.IntN(len(keys))]
					prefixes = append(prefixes, k[:r.IntN(len(k)+1)])
				}
				for _, prefix := range prefixes {
					d.requests.Store(0)
					want := d.naive(prefix)
					if got := listKeys(t, root, prefix); !slices.Equal(got, want) {
						t.Fatalf("prefix %q: %d keys, want %d", prefix, len(got), len(want))
					}
					pages := max(1, (len(want)+pageSize-1)/pageSize)
					most := 3*pages + 20
					if pages == 1 {
						most = 1
					}
					if d.sparse {
						most *= 2
					}
					if n := int(d.requests.Load()); n > most {
						t.Errorf("prefix %q: %d requests for %d pages", prefix, n, pages)
					}
				}
				if n := d.peak.Load(); n > 8 {
					t.Errorf("%d requests in flight", n)
				}
			})
		}
	}
}

// TestListRangesAreFast takes 30 ms for each request. Time is that of a bubble,
// so only requests take any.
func TestListRangesAreFast(t *testing.T) {
	t.Parallel()
	for name, keys := range distributions(rand.New(rand.NewPCG(9, 9))) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				measure := func(parallel bool) (took time.Duration, requests int32) {
					d := &listing{keys: keys, pageSize: 100, delay: 30 * time.Millisecond}
					root := d.open(t, parallel)
					start := time.Now()
					if got := listKeys(t, root, ""); !slices.Equal(got, d.keys) {
						t.Fatalf("%d keys, want %d", len(got), len(d.keys))
					}
					return time.Since(start), d.requests.Load()
				}
				inTurn, pages := measure(false)
				sideBySide, requests := measure(true)
				t.Logf("%6d keys: %3d pages in %8v, %3d requests in ranges in %8v, %.1f times as fast",
					len(keys), pages, inTurn, requests, sideBySide, float64(inTurn)/float64(sideBySide))
				if sideBySide > inTurn {
					t.Errorf("%v in ranges, %v in turn", sideBySide, inTurn)
				}
				if requests > 3*pages+20 {
					t.Errorf("%d requests for %d pages", requests, pages)
				}
				if name == "one directory" && sideBySide > inTurn/4 {
					t.Errorf("%v in ranges, %v in turn: want a quarter at most", sideBySide, inTurn)
				}
			})
		})
	}
}

// TestListIgnoresStart verifies listings of a store that ignores where a listing
// begins.
func TestListIgnoresStart(t *testing.T) {
	t.Parallel()
	for _, sparse := range []bool{false, true} {
		keys := distributions(rand.New(rand.NewPCG(4, 4)))["words"]
		d := &listing{keys: keys, pageSize: 100, careless: true, sparse: sparse}
		root := d.open(t, true)
		if got := listKeys(t, root, ""); !slices.Equal(got, d.keys) {
			t.Errorf("%d keys, want %d", len(got), len(d.keys))
		}
		if n, most := int(d.requests.Load()), (len(d.keys)/100+5)*2; n > most {
			t.Errorf("%d requests, want at most %d", n, most)
		}
	}
}

// TestListErrors verifies that all objects before the error are yielded, and
// none after it.
func TestListErrors(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range 10_000 {
		keys = append(keys, fmt.Sprintf("k%04d", i))
	}
	d := &listing{keys: keys, pageSize: 100, failAt: "k5000"}
	root := d.open(t, true)
	n := 0
	var last error
	for o, err := range root.List(t.Context(), "") {
		if last != nil {
			t.Fatal("an object was yielded after the error")
		}
		if last = err; err == nil {
			if o.Key != keys[n] {
				t.Fatalf("object %d is %q", n, o.Key)
			}
			n++
		}
	}
	if plan.KindOf(last) != plan.Denied || n < 4800 || n > 5000 {
		t.Errorf("%d objects, then %v", n, last)
	}
}

// TestListLeft verifies that a caller that leaves, or whose context ends,
// leaves no request behind. Synctest fails if a goroutine stays.
func TestListLeft(t *testing.T) {
	t.Parallel()
	keys := distributions(rand.New(rand.NewPCG(5, 5)))["one directory"]
	for _, at := range []int{1, 100, 1000, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			d := &listing{keys: keys, pageSize: 100, delay: 30 * time.Millisecond}
			root := d.open(t, true)
			n := 0
			for _, err := range root.List(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == at {
					break
				}
			}
			if now := d.inFlight.Load(); now != 0 {
				t.Errorf("left at %d: %d requests are still in flight", at, now)
			}
			// The number of objects that were fetched ahead is bounded.
			if most := int32(at/100*3 + 20 + 32_000/100); d.requests.Load() > most {
				t.Errorf("left at %d after %d requests", at, d.requests.Load())
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			boom := errors.New("boom")
			n = 0
			var last error
			for _, err := range root.List(ctx, "") {
				if n++; n == at {
					cancel(boom)
				}
				last = err
			}
			if plan.KindOf(last) != plan.Interrupted || !errors.Is(last, boom) {
				t.Errorf("canceled at %d: %v", at, last)
			}
		})
	}
}
