package relay_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/store/relay"
)

// beginning is a driver that begins an upload, and whose answer is long in transit.
// A caller that does not wait for it does not learn which upload it is.
type beginning struct {
	driver.Driver
	begun  chan struct{}
	answer chan struct{}
	open   *atomic.Int32 // uploads
}

// local is beginning as a local store, where a call continues until it has
// ended.
type local struct{ beginning }

func (d local) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	return d.beginning.Upload(context.WithoutCancel(ctx), key, o)
}

func (d beginning) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	u, err := d.Driver.Upload(ctx, key, o)
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	d.begun <- struct{}{}
	select {
	case <-d.answer:
		return begunUpload{u, d.open}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type begunUpload struct {
	driver.Upload
	open *atomic.Int32
}

func (u begunUpload) Abort(ctx context.Context) error {
	u.open.Add(-1)
	return u.Upload.Abort(ctx)
}

// TestEndsWhileAnUploadBegins verifies that a job process that dies, gives up, or
// is abandoned while a store begins an upload for it leaves no upload there.
func TestEndsWhileAnUploadBegins(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *served, cancel func(), w *store.Writer){
		"it dies":        func(s *served, _ func(), _ *store.Writer) { _ = s.conn.Close() },
		"it is left":     func(s *served, _ func(), _ *store.Writer) { s.stop() },
		"it gives up":    func(_ *served, _ func(), w *store.Writer) { w.Abort() },
		"it is canceled": func(_ *served, cancel func(), w *store.Writer) { cancel(); w.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := beginning{begun: make(chan struct{}), answer: make(chan struct{}), open: new(atomic.Int32)}
			root := mem(t, func(inner driver.Driver) driver.Driver {
				d.Driver = faulttest.Remote(inner, 64<<10)
				return d
			})
			s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()})}, true)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := open(t, s, "r").Create(ctx, "half", store.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if _, err := w.Write(noise(1, 1<<20+1)); err != nil {
				t.Fatal(err)
			}
			<-d.begun
			time.AfterFunc(20*time.Millisecond, func() { close(d.answer) })
			end(s, cancel, w)
			if name == "it dies" || name == "it is left" {
				_ = s.wait(t)
			}
			if n := d.open.Load(); n != 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}

// TestCanceledWhileAFileBegins is the same for an upload that begins with the call
// that is canceled.
func TestCanceledWhileAFileBegins(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(ctx context.Context, r *store.Root) error{
		"written": func(ctx context.Context, r *store.Root) error {
			return write(ctx, r, "half", noise(1, 1<<20), store.CreateOptions{})
		},
		"in one call": func(ctx context.Context, r *store.Root) error {
			return r.Put(ctx, "half", noise(1, 1000), store.Scratch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := beginning{begun: make(chan struct{}), answer: make(chan struct{}), open: new(atomic.Int32)}
			root := mem(t, func(inner driver.Driver) driver.Driver {
				d.Driver = inner
				return local{d}
			})
			s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()})}, false)
			child := open(t, s, "r")
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() { result <- how(ctx, child) }()
			<-d.begun
			cancel()
			time.AfterFunc(20*time.Millisecond, func() { close(d.answer) })
			wantKind(t, "write", <-result, plan.Interrupted)
			_ = s.conn.Close()
			_ = s.wait(t)
			if n := d.open.Load(); n != 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}
