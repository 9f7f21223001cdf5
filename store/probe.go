package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// An Ask is something that Probe examines only on request.
type Ask int

// Multipart asks whether create-once holds for objects that are written in
// parts. It costs more than 16 MiB of traffic on a remote store.
const Multipart Ask = 1

// Capabilities are the findings of a probe.
type Capabilities struct {
	// MultipartOnce says that Writer.Commit with IfAbsent holds for objects of
	// any size; without it only for those that fit into one part. It is true of
	// local stores, and otherwise false unless Multipart was asked for.
	MultipartOnce bool
}

// ProbePrefix is the common prefix of all keys that Probe writes.
const ProbePrefix = "_windrow/probe/"

// Probe finds out, at start-up, whether the root honours create-once: some
// stores accept the condition and ignore it. It writes a small object under
// ProbePrefix and deletes it again. After an error, nothing may be committed
// here.
func (r *Root) Probe(ctx context.Context, asks ...Ask) (Capabilities, error) {
	var random [12]byte
	rand.Read(random[:]) // never fails
	key := ProbePrefix + hex.EncodeToString(random[:])
	caps := Capabilities{MultipartOnce: !r.core.traits.Remote}
	if err := r.probeOnce(ctx, key); err != nil {
		return caps, r.fail("probe", "", err)
	}
	for _, a := range asks {
		if a != Multipart || caps.MultipartOnce {
			continue
		}
		var err error
		if caps.MultipartOnce, err = r.probeMultipart(ctx, key+"-parts"); err != nil {
			return caps, r.fail("probe", "", err)
		}
	}
	return caps, nil
}

// unsafe is the advice to a user whose store does not honour create-once.
const unsafe = "Windrow cannot commit safely here. Write to another store, or update this one to a version with conditional writes"

// probeOnce creates an object twice: the first must win, the second must lose
// and see the first one's body.
func (r *Root) probeOnce(ctx context.Context, key string) (err error) {
	first, second := []byte("first"), []byte("second")
	won, _, err := r.CreateOnce(ctx, key, first)
	if plan.KindOf(err) == plan.Invalid {
		_, cause := driver.Cause(err)
		if e := (*Error)(nil); errors.As(err, &e) && e.Err != nil {
			cause = e.Err
		}
		return driver.Fail(plan.Invalid, "the store refuses to create an object on condition that there is none: %w", cause)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.discard(ctx, key)) }()
	if !won {
		return driver.Fail(plan.Invalid, "the store says that a new object exists already: %s", unsafe)
	}
	won, existing, err := r.CreateOnce(ctx, key, second)
	if err != nil {
		return err
	}
	if won || !bytes.Equal(existing, first) {
		return driver.Fail(plan.Invalid, "the store does not honour create-once (it ignores If-None-Match, or the like): %s", unsafe)
	}
	return nil
}

// discardTime bounds a deletion that continues after its caller's context has
// ended.
const discardTime = time.Second

// discard deletes what a probe wrote, also when ctx has ended.
func (r *Root) discard(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), discardTime)
		defer cancel()
	}
	return r.Delete(ctx, key)
}

// probeMultipart writes an object of two parts twice.
func (r *Root) probeMultipart(ctx context.Context, key string) (honoured bool, err error) {
	body := make([]byte, r.core.traits.PartSize+1)
	for try := range 2 {
		w, err := r.Create(ctx, key, CreateOptions{Class: Scratch, IfAbsent: true})
		if err != nil {
			return false, err
		}
		defer w.Abort()
		if _, err = w.Write(body); err == nil {
			err = w.Commit()
		}
		// The key is this call's alone. If the object exists after the first
		// try, that try wrote it, and only the answer was lost.
		if try == 0 && err != nil && plan.KindOf(err) != plan.Exists {
			return false, err
		}
		if try == 1 {
			honoured = plan.KindOf(err) == plan.Exists
			err = r.discard(ctx, key)
			return honoured, err
		}
	}
	return false, nil
}
