package latency

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/store"
)

// watched is a driver that records the requests of a shuffle.
type watched struct {
	driver.Driver

	mu      sync.Mutex
	gets    int   // of runs
	fetched int64 // bytes of them that were asked for
	flying  int   // of those gets
	most    int   // at once
	began   moment
	ended   moment
	parts   int   // that are visible
	whenGot []int // how many were when each get began
}

// moment is a time with the process's CPU time until then, and the time for
// which its threads waited for processors that others used.
type moment struct {
	at        time.Time
	cpu, held time.Duration
}

func now() moment {
	m := moment{at: time.Now()}
	threads, _ := filepath.Glob("/proc/self/task/*/schedstat") // elsewhere there are none
	for _, name := range threads {
		body, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var ran, waited, times int64
		if n, _ := fmt.Sscan(string(body), &ran, &waited, &times); n == 3 {
			m.cpu += time.Duration(ran)
			m.held += time.Duration(waited)
		}
	}
	return m
}

// ofShuffle reports whether a key is that of a sorted run of a map task.
func ofShuffle(key string) bool {
	_, name, ok := strings.Cut(key, "/x/")
	return ok && strings.Contains(name, "/m")
}

func (w *watched) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := w.Driver.Open(ctx, key, etag)
	if err != nil || !ofShuffle(key) {
		return r, err
	}
	return &watchedReader{r, w}, nil
}

func (w *watched) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	err := w.Driver.Put(ctx, key, body, o)
	w.wrote(key)
	return err
}

func (w *watched) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	u, err := w.Driver.Upload(ctx, key, o)
	return &watchedUpload{u, w, key}, err
}

// wrote records the end of the last reduce.
func (w *watched) wrote(key string) {
	if !strings.Contains(key, "part-") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts++
	w.ended = now()
}

type watchedUpload struct {
	driver.Upload
	watched *watched
	key     string
}

func (u *watchedUpload) Commit(ctx context.Context) error {
	err := u.Upload.Commit(ctx)
	u.watched.wrote(u.key)
	return err
}

type watchedReader struct {
	driver.Reader
	watched *watched
}

func (r *watchedReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	w := r.watched
	w.mu.Lock()
	if w.gets == 0 {
		w.began = now()
	}
	w.gets++
	w.whenGot = append(w.whenGot, w.parts)
	w.fetched += n
	w.flying++
	w.most = max(w.most, w.flying)
	w.mu.Unlock()
	b, err := r.Reader.Range(ctx, off, n)
	if err != nil {
		w.landed()
		return b, err
	}
	b.ReadCloser = &watchedBody{ReadCloser: b.ReadCloser, landed: sync.OnceFunc(w.landed)}
	return b, nil
}

func (w *watched) landed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying--
}

type watchedBody struct {
	io.ReadCloser
	landed func()
}

func (b *watchedBody) Close() error {
	b.landed()
	return b.ReadCloser.Close()
}
