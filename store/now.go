package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
)

// Now returns the time by the store's clock, which gives objects their ModTime. It
// writes a small object under ProbePrefix, and deletes it again. Ages of objects are
// differences to it: this machine's clock may be wrong by days. It is the zero time
// where the store does not say when it wrote an object.
func (r *Root) Now(ctx context.Context) (now time.Time, err error) {
	var random [12]byte
	rand.Read(random[:]) // never fails
	key := ProbePrefix + hex.EncodeToString(random[:])
	if err := r.Put(ctx, key, nil, Scratch); err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, r.discard(ctx, key)) }()
	o, err := r.Stat(ctx, key)
	return o.ModTime, err
}
