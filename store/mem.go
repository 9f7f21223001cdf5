package store

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/store/checksum"
)

// MemSpace holds memory roots by name: roots opened with the same space and
// name see the same objects. The zero value is empty and ready for use, by any
// number of goroutines.
type MemSpace struct {
	mu     sync.Mutex
	stores map[string]*memStore
}

// driver returns the store of a name, a new one for the empty name.
func (m *MemSpace) driver(name string) Driver {
	if name == "" {
		return &memStore{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stores == nil {
		m.stores = make(map[string]*memStore)
	}
	if m.stores[name] == nil {
		m.stores[name] = &memStore{name: name}
	}
	return m.stores[name]
}

// memStore is a driver that keeps objects in a map.
type memStore struct {
	name string

	mu      sync.RWMutex
	objects map[string]*memObject
	version int64
}

// memObject is one version of an object; it never changes.
type memObject struct {
	Object
	body []byte
}

func (s *memStore) Traits() Traits { return Traits{URL: "mem://" + s.name} }

func (s *memStore) Close() error { return nil }

func (s *memStore) Put(_ context.Context, key string, body []byte, o CreateOptions) error {
	return s.add(key, bytes.Clone(body), o)
}

// add makes body, which is the store's from now on, an object.
func (s *memStore) add(key string, body []byte, o CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.IfAbsent && s.objects[key] != nil {
		return Fail(plan.Exists, "another writer was first")
	}
	if s.objects == nil {
		s.objects = make(map[string]*memObject)
	}
	s.version++
	s.objects[key] = &memObject{
		Object: Object{
			Key: key, Size: int64(len(body)), ETag: strconv.FormatInt(s.version, 10), ModTime: time.Now(),
			Sum: checksum.Of(checksum.CRC32C, body),
		},
		body: body,
	}
	return nil
}

func (s *memStore) find(key string) (*memObject, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.objects[key]; o != nil {
		return o, nil
	}
	return nil, Fail(plan.NotFound, "no such object")
}

func (s *memStore) Stat(_ context.Context, key string) (Object, error) {
	o, err := s.find(key)
	if err != nil {
		return Object{}, err
	}
	return o.Object, nil
}

func (s *memStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return nil
}

func (s *memStore) Open(_ context.Context, key, etag string) (Reader, error) {
	o, err := s.find(key)
	if err != nil {
		return nil, err
	}
	if etag != "" && etag != o.ETag {
		return nil, Fail(plan.Changed, "the version is %s, not %s", o.ETag, etag)
	}
	return memReader{o, bytes.NewReader(o.body)}, nil
}

func (s *memStore) Upload(_ context.Context, key string, o CreateOptions) (Upload, error) {
	return &memUpload{store: s, key: key, opts: o}, nil
}

func (s *memStore) List(prefix string) Pager { return &memPager{store: s, prefix: prefix} }

// memReader reads one version, whatever becomes of its key.
type memReader struct {
	object *memObject
	*bytes.Reader
}

func (r memReader) Object(_ context.Context) (Object, error) { return r.object.Object, nil }

func (r memReader) Close() error { return nil }

func (r memReader) Range(_ context.Context, off, n int64) (Body, error) {
	b, err := sectionBody(r, r.object.Size, off, n)
	b.Sum = r.object.Sum
	return b, err
}

// sectionBody is the Range of readers at hand.
func sectionBody(r io.ReaderAt, size, off, n int64) (Body, error) {
	if n < 0 {
		off, n = 0, size
	}
	if off > size {
		return Body{}, Fail(plan.Changed, "the object ends at %d, before %d", size, off)
	}
	n = min(n, size-off)
	return Body{ReadCloser: io.NopCloser(io.NewSectionReader(r, off, n)), Length: n, Total: size}, nil
}

// memUpload gathers parts.
type memUpload struct {
	store *memStore
	key   string
	opts  CreateOptions
	body  []byte
}

func (u *memUpload) Part(_ context.Context, _ int, body []byte) error {
	u.body = append(u.body, body...)
	return nil
}

func (u *memUpload) Commit(_ context.Context) error { return u.store.add(u.key, u.body, u.opts) }

func (u *memUpload) Abort(_ context.Context) error {
	u.body = nil
	return nil
}

// memPager gives the keys that were there at its first page.
type memPager struct {
	store  *memStore
	prefix string
	keys   []string
	began  bool
}

const listPage = 1000 // objects of a page of the drivers at hand

func (p *memPager) Next(_ context.Context) (page []Object, last bool, err error) {
	p.store.mu.RLock()
	defer p.store.mu.RUnlock()
	if !p.began {
		p.began = true
		p.keys = slices.Sorted(maps.Keys(p.store.objects))
		p.keys = slices.DeleteFunc(p.keys, func(k string) bool { return !strings.HasPrefix(k, p.prefix) })
	}
	for len(p.keys) > 0 && len(page) < listPage {
		if o := p.store.objects[p.keys[0]]; o != nil {
			page = append(page, o.Object)
		}
		p.keys = p.keys[1:]
	}
	return page, len(p.keys) == 0, nil
}
