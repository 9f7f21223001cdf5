package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// HasBundle reports whether a program was uploaded.
func (m *Master) HasBundle(ctx context.Context, digest string) (bool, error) {
	_, err := m.cfg.Root.Stat(ctx, plan.BundleKey(digest))
	if plan.KindOf(err) == plan.NotFound {
		return false, nil
	}
	return err == nil, answer(err)
}

// PutBundle stores a program, if its bytes have the digest.
func (m *Master) PutBundle(ctx context.Context, digest string, size int64, body io.Reader) error {
	there, err := m.HasBundle(ctx, digest)
	if err != nil || there {
		return err
	}
	w, err := m.cfg.Root.Create(ctx, plan.BundleKey(digest), store.CreateOptions{})
	if err != nil {
		return answer(err)
	}
	defer w.Abort()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), body)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest || n != size {
		return client.Errorf(plan.Invalid, "the bundle's %d bytes have the SHA-256 %s, not %s of %d bytes: nothing was stored", n, got, digest, size)
	}
	return answer(w.Commit())
}

// lacks returns the first program that was not uploaded, nil if all were.
func (m *Master) lacks(ctx context.Context, bundles []plan.Bundle) (*plan.Bundle, error) {
	for i := range bundles {
		there, err := m.HasBundle(ctx, bundles[i].Digest)
		if err != nil {
			return nil, err
		}
		if !there {
			return &bundles[i], nil
		}
	}
	return nil, nil
}
