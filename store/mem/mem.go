// Package mem is the driver of package store for objects in memory.
//
// Package store opens it for mem:// URLs, in the Space of store.Options.Mem.
// Tests and embedded runs use it; the objects end with the process.
//
// Concurrency and failure are as driver.Driver asks. Units: bytes.
package mem

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
)

// Space has memory roots by name: roots opened with the same space and name see
// the same objects. The zero value is empty and ready for use, by any number of
// goroutines.
type Space struct {
	mu     sync.Mutex
	stores map[string]*root
}

// Open returns the driver of a name, and a new one for the empty name.
func (m *Space) Open(name string) driver.Driver {
	if name == "" {
		return &root{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stores == nil {
		m.stores = make(map[string]*root)
	}
	if m.stores[name] == nil {
		m.stores[name] = &root{name: name}
	}
	return m.stores[name]
}

// root is a driver that keeps objects in a map.
type root struct {
	name string

	mu      sync.RWMutex
	objects map[string]*object
	version int64
}

// object is one version of an object; it never changes.
type object struct {
	driver.Object
	body []byte
}

func (s *root) Traits() driver.Traits { return driver.Traits{URL: "mem://" + s.name} }

func (s *root) Close() error { return nil }

func (s *root) Put(_ context.Context, key string, body []byte, o driver.CreateOptions) error {
	return s.add(key, bytes.Clone(body), o)
}

// add makes body an object. The store owns it from now on.
func (s *root) add(key string, body []byte, o driver.CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.IfAbsent && s.objects[key] != nil {
		return driver.Fail(plan.Exists, "another writer was first")
	}
	if s.objects == nil {
		s.objects = make(map[string]*object)
	}
	s.version++
	s.objects[key] = &object{
		Object: driver.Object{
			Key: key, Size: int64(len(body)), ETag: strconv.FormatInt(s.version, 10), ModTime: time.Now(),
			Sum: checksum.Of(checksum.CRC32C, body),
		},
		body: body,
	}
	return nil
}

func (s *root) find(key string) (*object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.objects[key]; o != nil {
		return o, nil
	}
	return nil, driver.Fail(plan.NotFound, "no such object")
}

func (s *root) Stat(_ context.Context, key string) (driver.Object, error) {
	o, err := s.find(key)
	if err != nil {
		return driver.Object{}, err
	}
	return o.Object, nil
}

func (s *root) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return nil
}

func (s *root) Open(_ context.Context, key, etag string) (driver.Reader, error) {
	o, err := s.find(key)
	if err != nil {
		return nil, err
	}
	if etag != "" && etag != o.ETag {
		return nil, driver.Fail(plan.Changed, "the version is %s, not %s", o.ETag, etag)
	}
	return reader{o, bytes.NewReader(o.body)}, nil
}

func (s *root) Upload(_ context.Context, key string, o driver.CreateOptions) (driver.Upload, error) {
	return &upload{store: s, key: key, opts: o}, nil
}

func (s *root) List(prefix string) driver.Pager { return &pager{store: s, prefix: prefix} }

// reader reads one version, whatever happens to its key.
type reader struct {
	object *object
	*bytes.Reader
}

func (r reader) Object(_ context.Context) (driver.Object, error) { return r.object.Object, nil }

func (r reader) Close() error { return nil }

func (r reader) Range(_ context.Context, off, n int64) (driver.Body, error) {
	b, err := driver.Section(r, r.object.Size, off, n)
	b.Sum = r.object.Sum
	return b, err
}

// upload gathers parts.
type upload struct {
	store *root
	key   string
	opts  driver.CreateOptions
	body  []byte
}

func (u *upload) Part(_ context.Context, _ int, body []byte) error {
	u.body = append(u.body, body...)
	return nil
}

func (u *upload) Commit(_ context.Context) error { return u.store.add(u.key, u.body, u.opts) }

func (u *upload) Abort(_ context.Context) error {
	u.body = nil
	return nil
}

// pager returns the keys that existed at its first page.
type pager struct {
	store  *root
	prefix string
	keys   []string
	began  bool
}

const pageSize = 1000 // objects of a page

func (p *pager) Next(_ context.Context) (page []driver.Object, last bool, err error) {
	p.store.mu.RLock()
	defer p.store.mu.RUnlock()
	if !p.began {
		p.began = true
		p.keys = slices.Sorted(maps.Keys(p.store.objects))
		p.keys = slices.DeleteFunc(p.keys, func(k string) bool { return !strings.HasPrefix(k, p.prefix) })
	}
	for len(p.keys) > 0 && len(page) < pageSize {
		if o := p.store.objects[p.keys[0]]; o != nil {
			page = append(page, o.Object)
		}
		p.keys = p.keys[1:]
	}
	return page, len(p.keys) == 0, nil
}
