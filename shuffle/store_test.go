package shuffle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
)

// memStore is a RunStore in memory.
type memStore struct {
	mu      sync.Mutex
	objects map[string][]byte
	n       int
	open    int // readers that are not closed
	most    int // the most that were open at the same time
	fail    func(op string, n int) error
	ops     int
	flip    func(p []byte) // damages the bytes of a read, on their way
}

func newMemStore() *memStore { return &memStore{objects: make(map[string][]byte)} }

// step counts an operation and returns its planned error.
func (s *memStore) step(op string) error {
	s.ops++
	if s.fail != nil {
		return s.fail(op, s.ops)
	}
	return nil
}

func (s *memStore) Create(context.Context) (RunWriter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.step("create"); err != nil {
		return nil, err
	}
	s.n++
	return &memWriter{store: s, key: fmt.Sprintf("run%04d", s.n)}, nil
}

func (s *memStore) Open(_ context.Context, key string, size int64) (RunReader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.step("open"); err != nil {
		return nil, err
	}
	b, ok := s.objects[key]
	if !ok {
		return nil, fmt.Errorf("%s: not found", key)
	}
	if int64(len(b)) != size {
		return nil, fmt.Errorf("%s has %d bytes, not %d", key, len(b), size)
	}
	s.open++
	s.most = max(s.most, s.open)
	return &memReader{store: s, data: b}, nil
}

func (s *memStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return nil
}

// keys returns the keys of the stored runs.
func (s *memStore) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// checkClosed fails the test if a reader was left open.
func (s *memStore) checkClosed(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != 0 {
		tb.Errorf("%d readers were left open", s.open)
	}
}

type memWriter struct {
	store *memStore
	key   string
	buf   bytes.Buffer
	done  bool
}

func (w *memWriter) Key() string { return w.key }

func (w *memWriter) Write(p []byte) (int, error) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if err := w.store.step("write"); err != nil {
		return 0, err
	}
	return w.buf.Write(p)
}

func (w *memWriter) Commit() error {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if err := w.store.step("commit"); err != nil {
		return err
	}
	w.done = true
	w.store.objects[w.key] = w.buf.Bytes()
	return nil
}

func (w *memWriter) Abort() { w.buf = bytes.Buffer{} }

type memReader struct {
	store *memStore
	data  []byte
}

func (r *memReader) ReadAt(ctx context.Context, p []byte, off int64) error {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if err := r.store.step("read"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if off < 0 || off+int64(len(p)) > int64(len(r.data)) {
		return errors.New("read beyond the end")
	}
	copy(p, r.data[off:])
	if r.store.flip != nil {
		r.store.flip(p)
	}
	return nil
}

func (r *memReader) Close() error {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.open--
	return nil
}
