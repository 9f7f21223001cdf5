package storetest

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

func (s suite) writerInvisible() {
	for _, size := range []int{100, s.features.Large} {
		key := "out/" + strconv.Itoa(size)
		w, err := s.root.Create(s.Context(), key, store.CreateOptions{Class: store.Scratch})
		s.must(err)
		defer w.Abort()
		_, err = w.Write(noise(3, size))
		s.must(err)
		s.wantAbsent(key)
		s.must(w.Commit())
		if w.Size() != int64(size) {
			s.Errorf("writer says %d bytes, wrote %d", w.Size(), size)
		}
		w.Abort() // no effect
		s.wantBody(key, noise(3, size))
		if _, err = w.Write([]byte("x")); err == nil {
			s.Error("write after commit succeeded")
		}
		if err = w.Commit(); err == nil {
			s.Error("second commit succeeded")
		}
	}
}

func (s suite) writerSizes() {
	for _, size := range []int{0, 1, 65535, 65536, 65537, 8<<20 - 1, 8 << 20, 8<<20 + 1, s.features.Large} {
		key := "size-" + strconv.Itoa(size)
		body := noise(uint64(size), size)
		s.must(s.write(key, body, store.CreateOptions{Class: store.Scratch}))
		s.wantBody(key, body)
		s.must(s.root.Delete(s.Context(), key))
	}
}

func (s suite) writerIfAbsent() {
	o := store.CreateOptions{IfAbsent: true}
	s.must(s.write("part", []byte("first"), o))
	s.wantKind(s.write("part", []byte("second"), o), plan.Exists)
	s.wantBody("part", []byte("first"))
	s.must(s.write("part", []byte("third"), store.CreateOptions{}))
	s.wantBody("part", []byte("third"))
}

func (s suite) writerIfAbsentLarge() {
	if !s.features.MultipartOnce {
		caps, err := s.root.Probe(s.Context(), store.Multipart)
		s.must(err)
		if caps.MultipartOnce {
			s.Error("the probe says that multipart create-once holds, the features say that it does not")
		}
		return
	}
	const writers = 3
	o := store.CreateOptions{IfAbsent: true, Class: store.Scratch}
	errs := make([]error, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() { errs[i] = s.write("large", noise(uint64(i+1), s.features.Large), o) })
	}
	all.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			s.Errorf("writers %d and %d both won", winner, i)
		default:
			s.wantKind(err, plan.Exists)
		}
	}
	if winner < 0 {
		s.Fatal("no writer won")
	}
	s.wantBody("large", noise(uint64(winner+1), s.features.Large))
}

// writerAborts stands for a producer that fails halfway.
func (s suite) writerAborts() {
	boom := errors.New("boom")
	produce := func(key string, size int) error {
		w, err := s.root.Create(s.Context(), key, store.CreateOptions{})
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err = w.Write(noise(4, size)); err != nil {
			return err
		}
		return boom
	}
	for _, size := range []int{0, 1000, s.features.Large} {
		if err := produce("aborted/x", size); !errors.Is(err, boom) {
			s.Fatal(err)
		}
		s.wantAbsent("aborted/x")
	}
	w, err := s.root.Create(s.Context(), "aborted/y", store.CreateOptions{})
	s.must(err)
	w.Abort()
	w.Abort()
	if _, err = w.Write([]byte("x")); err == nil {
		s.Error("write after abort succeeded")
	}
	if err = w.Commit(); err == nil {
		s.Error("commit after abort succeeded")
	}
	s.wantAbsent("aborted/y")
	if keys := s.keys(""); len(keys) != 0 {
		s.Errorf("left behind: %q", keys)
	}
}

func (s suite) writerCanceled() {
	for _, size := range []int{1000, s.features.Large} {
		ctx, cancel := context.WithCancel(s.Context())
		w, err := s.root.Create(ctx, "canceled", store.CreateOptions{})
		s.must(err)
		defer w.Abort()
		_, err = w.Write(noise(5, size))
		s.must(err)
		cancel()
		s.wantKind(w.Commit(), plan.Interrupted)
		s.wantAbsent("canceled")
	}
}

func (s suite) rangesExact() {
	body := noise(6, 1<<20+77)
	s.must(s.root.Put(s.Context(), "data", body, store.Scratch))
	h, err := s.root.OpenObject(s.Context(), "data", "")
	s.must(err)
	defer h.Close()
	if h.Size() != int64(len(body)) || h.ETag() == "" {
		s.Errorf("handle: size %d, etag %q", h.Size(), h.ETag())
	}
	r := rand.New(rand.NewPCG(1, 2))
	ranges := [][2]int{{0, 0}, {0, 1}, {0, len(body)}, {len(body) - 1, 1}, {len(body), 0}}
	for range 40 {
		off := r.IntN(len(body))
		ranges = append(ranges, [2]int{off, r.IntN(len(body) - off)})
	}
	var all sync.WaitGroup
	for _, g := range ranges {
		all.Go(func() {
			p := make([]byte, g[1])
			if err := h.ReadAt(s.Context(), p, int64(g[0])); err != nil {
				s.Errorf("range %v: %v", g, err)
			} else if !bytes.Equal(p, body[g[0]:g[0]+g[1]]) {
				s.Errorf("range %v: other bytes", g)
			}
		})
	}
	all.Wait()
	for _, g := range [][2]int{{len(body), 1}, {len(body) - 1, 2}, {-1, 1}} {
		s.wantKind(h.ReadAt(s.Context(), make([]byte, g[1]), int64(g[0])), plan.Invalid)
	}
}

func (s suite) streamsExact() {
	body := noise(7, s.features.Large)
	s.must(s.write("big", body, store.CreateOptions{Class: store.Scratch}))
	h, err := s.root.OpenObject(s.Context(), "big", "")
	s.must(err)
	defer h.Close()
	size := int64(len(body))
	for _, g := range [][2]int64{{0, -1}, {0, 0}, {1, size - 2}, {size - 5, -1}, {size, -1}, {size / 2, 100}, {3, 8 << 20}} {
		want := body[g[0]:]
		if g[1] >= 0 {
			want = want[:g[1]]
		}
		n, sum, err := drain(h.Stream(s.Context(), g[0], g[1]))
		if err != nil || n != int64(len(want)) || sum != crc32.ChecksumIEEE(want) {
			s.Errorf("stream %v: %d bytes, checksum %08x, %v; want %d, %08x", g, n, sum, err, len(want), crc32.ChecksumIEEE(want))
		}
	}
	_, _, err = drain(h.Stream(s.Context(), 1, size))
	s.wantKind(err, plan.Invalid)
	// A stream may be abandoned before its end.
	stream := h.Stream(s.Context(), 0, -1)
	if _, err = io.ReadFull(stream, make([]byte, 10)); err != nil {
		s.Error(err)
	}
	s.must(stream.Close())
}

// handleVersion verifies that after an overwrite a handle returns the old bytes
// or Changed, never the new ones.
func (s suite) handleVersion() {
	old, young := noise(8, 1<<20), noise(9, 1<<20)
	s.must(s.root.Put(s.Context(), "input", old, store.Scratch))
	before, err := s.root.Stat(s.Context(), "input")
	s.must(err)
	h, err := s.root.OpenObject(s.Context(), "input", before.ETag)
	s.must(err)
	defer h.Close()
	known, err := s.root.OpenKnown(s.Context(), before)
	s.must(err)
	defer known.Close()
	s.must(s.root.Put(s.Context(), "input", young, store.Scratch))
	after, err := s.root.Stat(s.Context(), "input")
	s.must(err)
	if after.ETag == before.ETag {
		s.Fatal("the ETag did not change")
	}
	for _, h := range []*store.Handle{h, known} {
		p := make([]byte, 1000)
		if err := h.ReadAt(s.Context(), p, 500); err != nil {
			s.wantKind(err, plan.Changed)
		} else if !bytes.Equal(p, old[500:1500]) {
			s.Error("a handle gave bytes of another version")
		}
	}
	_, err = s.root.OpenObject(s.Context(), "input", before.ETag)
	s.wantKind(err, plan.Changed)
	listed := s.list("input")
	if len(listed) != 1 || listed[0].ETag != after.ETag || listed[0].Size != after.Size {
		s.Errorf("list says %+v, stat says %+v", listed, after)
	}
}

// checksums verifies that every checksum that a store returns fits the bytes.
func (s suite) checksums() {
	for _, c := range []struct {
		key  string
		size int
		told bool
	}{{"empty", 0, s.features.Sums}, {"small", 12345, s.features.Sums}, {"large", s.features.Large, s.features.SumsOfParts}} {
		body := noise(11, c.size)
		s.must(s.write(c.key, body, store.CreateOptions{Class: store.Scratch}))
		stat, err := s.root.Stat(s.Context(), c.key)
		s.must(err)
		h, err := s.root.OpenObject(s.Context(), c.key, "")
		s.must(err)
		defer h.Close()
		for from, sum := range map[string]checksum.Sum{"stat": stat.Sum, "handle": h.Sum(), "list": s.list(c.key)[0].Sum} {
			want := checksum.Of(sum.Algorithm, body)
			if sum.Known() && sum != want {
				s.Errorf("%s of %d bytes has %v, they have %v", from, c.size, sum, want)
			}
			if from != "list" && c.told && !sum.Known() {
				s.Errorf("%s of %d bytes has no checksum", from, c.size)
			}
		}
		s.wantBody(c.key, body)
	}
}

func (s suite) list(prefix string) (all []store.Object) {
	s.Helper()
	for o, err := range s.root.List(s.Context(), prefix) {
		s.must(err)
		all = append(all, o)
	}
	return all
}

func (s suite) openKnown() {
	body := noise(10, 5000)
	s.must(s.root.Put(s.Context(), "run", body, store.Scratch))
	before := s.root.Usage()
	h, err := s.root.OpenKnown(s.Context(), store.Object{Key: "run", Size: 5000})
	s.must(err)
	defer h.Close()
	p := make([]byte, 100)
	s.must(h.ReadAt(s.Context(), p, 4900))
	if !bytes.Equal(p, body[4900:]) {
		s.Error("other bytes")
	}
	if u := s.root.Usage().Minus(before); u.Requests() != 1 || u.Gets != 1 || u.BytesDown != 100 {
		s.Errorf("usage: %+v, want one get of 100 bytes", u)
	}
	read := func(o store.Object) error {
		h, err := s.root.OpenKnown(s.Context(), o)
		if err != nil {
			return err
		}
		defer h.Close()
		return h.ReadAt(s.Context(), p, 0)
	}
	s.wantKind(read(store.Object{Key: "run", Size: 4999}), plan.Changed)
	s.wantKind(read(store.Object{Key: "run", Size: 5001}), plan.Changed)
	s.wantKind(read(store.Object{Key: "none", Size: 5000}), plan.NotFound)
}
