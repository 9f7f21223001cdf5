package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

func (s suite) oddKeys() {
	keys := []string{
		"x", "with space", "plus+and&and=", "per%20cent%", "hash#tag", "quest?ion", "semi;colon,comma", "ünïcödé/日本語/😀",
		"dots...and.dots", ".hidden/file", "_windrow/x", "tilde~", "brackets[1]{2}(3)", "quote'\"<>|", "a*b", "colon:at@", "$dollar!",
		"deep/1/2/3/4/5/6/7/8/9/10", strings.Repeat("l", 200) + "/" + strings.Repeat("m", 200), "e\u0301 and \u00e9",
	}
	for _, k := range keys {
		if err := s.root.Put(s.Context(), k, []byte(k), store.Scratch); err != nil {
			s.Errorf("put %q: %v", k, err)
		}
	}
	for _, k := range keys {
		s.wantBody(k, []byte(k))
		if got := s.keys(k); !slices.Contains(got, k) {
			s.Errorf("list of prefix %q: %q", k, got)
		}
	}
	slices.Sort(keys)
	if got := s.keys(""); !slices.Equal(got, keys) {
		s.Errorf("list:\n got %q\nwant %q", got, keys)
	}
	for _, k := range keys {
		s.must(s.root.Delete(s.Context(), k))
	}
	if got := s.keys(""); len(got) != 0 {
		s.Errorf("after deletion: %q", got)
	}
}

func (s suite) badKeys() {
	for _, k := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "../a", "nul\x00", "new\nline", "back\\slash", "bad\xff", ".windrow-tmp/x",
		strings.Repeat("s", 256), strings.Repeat("long/", 250) + "x",
	} {
		s.wantKind(s.root.Put(s.Context(), k, nil, store.Scratch), plan.Invalid)
		_, _, err := s.root.CreateOnce(s.Context(), k, nil)
		s.wantKind(err, plan.Invalid)
		_, err = s.root.Create(s.Context(), k, store.CreateOptions{})
		s.wantKind(err, plan.Invalid)
	}
	if s.features.Flat {
		return
	}
	s.must(s.root.Put(s.Context(), "a/b", []byte("b"), store.Scratch))
	s.must(s.root.Put(s.Context(), "c", []byte("c"), store.Scratch))
	for _, k := range []string{"a", "c/d", "c/d/e"} {
		err := s.root.Put(s.Context(), k, nil, store.Scratch)
		s.wantKind(err, plan.Invalid)
		_, _, err = s.root.CreateOnce(s.Context(), k, nil)
		s.wantKind(err, plan.Invalid)
	}
	s.wantBody("a/b", []byte("b"))
	s.wantBody("c", []byte("c"))
}

// listOrder makes a random tree in which sorting by path and sorting by key
// differ ("a-b" and "a/b"), and lists it by many prefixes.
func (s suite) listOrder() {
	r := rand.New(rand.NewPCG(3, 4))
	names := []string{"a", "a-", "a.", "a0", "ab", "b", "~"}
	want := map[string]int64{}
	for range 60 {
		var segments []string
		for range 1 + r.IntN(3) {
			segments = append(segments, names[r.IntN(len(names))]+"d") // directories
		}
		key := strings.Join(append(segments, names[r.IntN(len(names))]), "/")
		size := r.IntN(50)
		s.must(s.root.Put(s.Context(), key, make([]byte, size), store.Scratch))
		want[key] = int64(size)
	}
	for _, prefix := range []string{"", "a", "ad", "ad/", "a-d/a", "a0d/abd/", "zzz", "ad/zzz/", "b"} {
		var keys []string
		for k := range want {
			if strings.HasPrefix(k, prefix) {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		got := s.list(prefix)
		if len(got) != len(keys) {
			s.Errorf("prefix %q: %d objects, want %d", prefix, len(got), len(keys))
			continue
		}
		for i, o := range got {
			if o.Key != keys[i] || o.Size != want[o.Key] {
				s.Errorf("prefix %q, object %d: %+v, want %q of %d bytes", prefix, i, o, keys[i], want[keys[i]])
				break
			}
		}
	}
}

// walks finds objects of a depth, and sees no key below the directories that it does not
// enter.
func (s suite) walks() {
	for _, key := range []string{"w/a.txt", "w/b b+%.txt", "w/d/c.txt", "w/d/e/f.txt", "w/d-/g.txt", "wx/h.txt", "w.txt"} {
		s.must(s.root.Put(s.Context(), key, []byte("x"), store.Scratch))
	}
	for _, c := range []struct {
		prefix        string
		depth         int
		deep          bool
		want, entered []string
	}{
		{"w/", 2, false, []string{"w/a.txt", "w/b b+%.txt"}, []string{"w/d-/", "w/d/"}},
		{"w/b", 2, false, []string{"w/b b+%.txt"}, nil},
		{"w/", 3, false, []string{"w/d-/g.txt", "w/d/c.txt"}, []string{"w/d-/", "w/d/", "w/d/e/"}},
		{"w", 1, false, []string{"w.txt"}, []string{"w/", "wx/"}},
		{"none/", 2, false, nil, nil},
		{"w/", 4, true, []string{"w/d/e/f.txt"}, []string{"w/d-/", "w/d/", "w/d/e/"}},
	} {
		var got, entered []string
		found, err := s.root.Walk(s.Context(), store.Walk{
			Prefix: c.prefix, Deep: c.deep,
			Enter: func(dir, _ string) (string, bool) {
				entered = append(entered, dir)
				return "", strings.Count(dir, "/") < c.depth
			},
			Match: func(key string) bool { return strings.Count(key, "/") == c.depth-1 },
			Skip:  func(string, bool) {},
		})
		s.must(err)
		for _, o := range found {
			got = append(got, o.Key)
			if o.Size != 1 || o.ETag == "" {
				s.Errorf("%+v is described otherwise by a listing", o)
			}
		}
		slices.Sort(entered)
		if !slices.Equal(got, c.want) || !slices.Equal(entered, c.entered) {
			s.Errorf("prefix %q, depth %d: found %q and %q, want %q and %q", c.prefix, c.depth, got, entered, c.want, c.entered)
		}
	}
}

func (s suite) listPages() {
	const n = 1100
	var all sync.WaitGroup
	work := make(chan int)
	for range 8 {
		all.Go(func() {
			for i := range work {
				if err := s.root.Put(s.Context(), fmt.Sprintf("many/%05d", i), nil, store.Scratch); err != nil {
					s.Error(err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	all.Wait()
	i := 0
	for o, err := range s.root.List(s.Context(), "many/") {
		s.must(err)
		if want := fmt.Sprintf("many/%05d", i); o.Key != want {
			s.Fatalf("object %d is %q", i, o.Key)
		}
		i++
	}
	if i != n {
		s.Errorf("%d objects, want %d", i, n)
	}
	for _, err := range s.root.List(s.Context(), "many/") {
		if err != nil {
			s.Error(err)
		}
		break // a listing may be abandoned
	}
}

func (s suite) deleteTwice() {
	s.must(s.root.Put(s.Context(), "t/u/v", []byte("x"), store.Durable))
	s.must(s.root.Put(s.Context(), "t/w", []byte("x"), store.Durable))
	s.must(s.root.Delete(s.Context(), "t/u/v"))
	s.must(s.root.Delete(s.Context(), "t/u/v"))
	s.must(s.root.Delete(s.Context(), "never/was"))
	s.wantAbsent("t/u/v")
	s.wantBody("t/w", []byte("x"))
	// A former directory may be an object now.
	s.must(s.root.Put(s.Context(), "t/u", []byte("y"), store.Durable))
	s.wantBody("t/u", []byte("y"))
}

// deleteBeside writes objects where others are deleted. Stores that keep their
// objects in a file system remove directories with the last object in them, at
// the moment in which another object is written there.
func (s suite) deleteBeside() {
	const writers, rounds = 3, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				key := fmt.Sprintf("a/b/c/d/e/f/%d-%d", w, i)
				won, _, err := s.root.CreateOnce(s.Context(), key, []byte(key))
				if err != nil || !won {
					s.Errorf("create %s: won %v, %v", key, won, err)
					continue
				}
				if err := s.root.Delete(s.Context(), key); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func (s suite) deleteAll() {
	var keys, want []string
	for i := range 60 {
		keys = append(keys, fmt.Sprintf("tmp/%d/run-%d", i%7, i), fmt.Sprintf("kept/%d", i))
	}
	for _, k := range keys {
		s.must(s.root.Put(s.Context(), k, nil, store.Scratch))
		if !strings.HasPrefix(k, "tmp/") || strings.HasSuffix(k, "5") {
			want = append(want, k)
		}
	}
	s.must(s.root.DeleteAll(s.Context(), "tmp/", func(key string) bool { return !strings.HasSuffix(key, "5") }))
	slices.Sort(want)
	if got := s.keys(""); !slices.Equal(got, want) {
		s.Errorf("left:\n got %q\nwant %q", got, want)
	}
	s.must(s.root.DeleteAll(s.Context(), "", nil))
	if got := s.keys(""); len(got) != 0 {
		s.Errorf("left: %q", got)
	}
}

func (s suite) subRoots() {
	sub := s.root.Sub("jobs/1").Sub("/x/")
	s.must(sub.Put(s.Context(), "k", []byte("v"), store.Scratch))
	s.wantBody("jobs/1/x/k", []byte("v"))
	s.must(s.root.Put(s.Context(), "jobs/1/xy", nil, store.Scratch))
	for o, err := range sub.List(s.Context(), "") {
		s.must(err)
		if o.Key != "k" {
			s.Errorf("list of the sub root: %q", o.Key)
		}
	}
	if o, err := sub.Stat(s.Context(), "k"); err != nil || o.Key != "k" {
		s.Errorf("stat: %+v, %v", o, err)
	}
	if got, want := sub.Name("k"), s.root.Name("jobs/1/x/k"); got != want {
		s.Errorf("name %q, want %q", got, want)
	}
	if sub.Usage() != s.root.Usage() {
		s.Error("the sub root counts for itself")
	}
	s.must(sub.Close())
	s.wantBody("jobs/1/x/k", []byte("v"))
}

func (s suite) usage() {
	before := s.root.Usage()
	s.must(s.root.Put(s.Context(), "u", make([]byte, 1000), store.Scratch))
	s.must(s.root.Put(s.Context(), "beat", make([]byte, 10), store.Heartbeat))
	s.wantBody("u", make([]byte, 1000))
	_, err := s.root.Stat(s.Context(), "u")
	s.must(err)
	s.keys("")
	s.must(s.root.Delete(s.Context(), "u"))
	got := s.root.Usage().Minus(before)
	want := plan.Usage{Puts: 1, Heartbeats: 1, Gets: 1, Stats: 1, Lists: 1, Deletes: 1, BytesUp: 1010, BytesDown: 1000}
	if got != want {
		s.Errorf("usage\n got %+v\nwant %+v", got, want)
	}
}

func (s suite) probe() {
	caps, err := s.root.Probe(s.Context())
	s.must(err)
	if s.root.Remote() == caps.MultipartOnce {
		s.Errorf("remote %v, but %+v without having looked", s.root.Remote(), caps)
	}
	caps, err = s.root.Probe(s.Context(), store.Multipart)
	s.must(err)
	if caps.MultipartOnce != s.features.MultipartOnce {
		s.Errorf("capabilities: %+v, features: %+v", caps, s.features)
	}
	if keys := s.keys(""); len(keys) != 0 {
		s.Errorf("left behind: %q", keys)
	}
}

func (s suite) canceled() {
	s.must(s.root.Put(s.Context(), "x", []byte("x"), store.Scratch))
	h, err := s.root.OpenObject(s.Context(), "x", "")
	s.must(err)
	defer h.Close()
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	s.wantKind(s.root.Put(ctx, "y", nil, store.Scratch), plan.Interrupted)
	_, err = s.root.Get(ctx, "x", 10)
	s.wantKind(err, plan.Interrupted)
	_, _, err = s.root.CreateOnce(ctx, "y", nil)
	s.wantKind(err, plan.Interrupted)
	s.wantKind(h.ReadAt(ctx, make([]byte, 1), 0), plan.Interrupted)
	_, _, err = drain(h.Stream(ctx, 0, -1))
	s.wantKind(err, plan.Interrupted)
	for _, err := range s.root.List(ctx, "") {
		s.wantKind(err, plan.Interrupted)
	}
	s.wantAbsent("y")
}
