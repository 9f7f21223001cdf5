package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// levels is a bucket that lists directories, and counts its listings. It has only keys.
type levels struct {
	driver.Driver
	keys []string // in order
	deny string   // a directory that cannot be listed

	mu     sync.Mutex
	listed []string
}

const levelPage = 10 // entries of a page

func (d *levels) Traits() driver.Traits {
	return driver.Traits{URL: "test://levels", Remote: true, PartSize: 1024}
}

func (d *levels) note(prefix string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listed = append(d.listed, prefix)
	if d.deny != "" && strings.HasPrefix(prefix, d.deny) {
		return driver.Fail(plan.Denied, "not for you")
	}
	return nil
}

func (d *levels) List(prefix string) driver.Pager {
	p := &levelsPager{driver: d, prefix: prefix}
	for _, k := range d.keys {
		if strings.HasPrefix(k, prefix) {
			p.entries = append(p.entries, driver.Entry{Object: driver.Object{Key: k, Size: 1}})
		}
	}
	return flatPager{p}
}

func (d *levels) ListLevel(_, prefix string) driver.LevelPager {
	p := &levelsPager{driver: d, prefix: prefix}
	seen := map[string]bool{}
	for _, k := range d.keys {
		rest, ok := strings.CutPrefix(k, prefix)
		name, _, below := strings.Cut(rest, "/")
		switch dir := prefix + name + "/"; {
		case !ok:
		case !below:
			p.entries = append(p.entries, driver.Entry{Object: driver.Object{Key: k, Size: 1}})
		case !seen[dir]:
			seen[dir] = true
			p.entries = append(p.entries, driver.Entry{Object: driver.Object{Key: dir}, Kind: driver.IsDirectory})
		}
	}
	return p
}

type levelsPager struct {
	driver  *levels
	prefix  string
	entries []driver.Entry
}

func (p *levelsPager) Next(context.Context) (page []driver.Entry, last bool, err error) {
	if err := p.driver.note(p.prefix); err != nil {
		return nil, false, err
	}
	n := min(levelPage, len(p.entries))
	page, p.entries = p.entries[:n], p.entries[n:]
	return page, len(p.entries) == 0, nil
}

type flatPager struct{ *levelsPager }

func (p flatPager) Next(ctx context.Context) (page []driver.Object, last bool, err error) {
	entries, last, err := p.levelsPager.Next(ctx)
	for _, e := range entries {
		page = append(page, e.Object)
	}
	return page, last, err
}

// ofDepth walks a root for the objects at some depth whose keys end in a text.
func ofDepth(t *testing.T, d *levels, prefix string, depth int, end string) (keys, entered []string, err error) {
	t.Helper()
	root, err := store.New(d, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := root.Walk(t.Context(), store.Walk{
		Prefix: prefix,
		Enter: func(dir, _ string) (string, bool) {
			entered = append(entered, dir)
			return "", strings.Count(dir, "/") < depth
		},
		Match: func(key string) bool { return strings.Count(key, "/") == depth-1 && strings.HasSuffix(key, end) },
	})
	for _, o := range found {
		keys = append(keys, o.Key)
	}
	return keys, entered, err
}

// TestOnlyDirectoriesThatMatchAreListed: a pattern of fixed depth lists no directory that
// cannot match. So its price does not depend on what is there, and a directory that may
// not be listed does not matter.
func TestOnlyDirectoriesThatMatchAreListed(t *testing.T) {
	t.Parallel()
	d := &levels{deny: "logs/secret/"}
	for i := range 3000 {
		d.keys = append(d.keys, fmt.Sprintf("logs/huge/%04d.txt", i))
	}
	d.keys = append(d.keys, "logs/secret/x.txt", "logs/x.txt", "logs/y.dat")
	slices.Sort(d.keys)
	keys, _, err := ofDepth(t, d, "logs/", 2, ".txt")
	if err != nil || !slices.Equal(keys, []string{"logs/x.txt"}) || !slices.Equal(d.listed, []string{"logs/"}) {
		t.Errorf("found %q by listing %q, %v", keys, d.listed, err)
	}
	// A directory that could match does matter, and is named.
	_, _, err = ofDepth(t, d, "logs/", 3, ".txt")
	if plan.KindOf(err) != plan.Denied || !strings.Contains(err.Error(), "logs/secret") {
		t.Errorf("a directory that can match: %v", err)
	}
}

// TestWalksAgree: the objects that are found, and the directories that are asked about, do
// not depend on whether directories are listed alone, are too many for that, or are seen in
// a listing of all keys.
func TestWalksAgree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 21))
		set := map[string]bool{}
		wide := 3 + r.IntN(200)
		for range 20 + r.IntN(600) {
			segments := make([]string, 1+r.IntN(4))
			for i := range segments {
				segments[i] = []string{"a", "a-", "b.txt", "", "c"}[r.IntN(5)] + fmt.Sprint(r.IntN(wide))
			}
			set[strings.Join(segments, "/")] = true
		}
		var keys []string
		for k := range set {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		depth := 1 + r.IntN(4)
		prefix := []string{"", "a", "a1/"}[r.IntN(3)]
		var want []string
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) && strings.Count(k, "/") == depth-1 {
				want = append(want, k)
			}
		}
		d := &levels{keys: keys}
		got, entered, err := ofDepth(t, d, prefix, depth, "")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("seed %d: %d objects of depth %d below %q, %v, want %d", seed, len(got), depth, prefix, err, len(want))
		}
		slices.Sort(entered)
		if n := len(entered); n != len(slices.Compact(entered)) {
			t.Errorf("seed %d: directories are asked about twice", seed)
		}
		if most := 3*len(keys)/levelPage + 3*levelPage + 2*64*4; len(d.listed) > most {
			t.Errorf("seed %d: %d listings of %d keys", seed, len(d.listed), len(keys))
		}
	}
}
