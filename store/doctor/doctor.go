// Package doctor finds out whether a root is fit to work on: credentials,
// rights, create-once by both ways of writing, clocks, latency, throughput.
//
// The command line calls it. An examination belongs to one goroutine. It writes
// below _windrow/doctor/, under a key of its own, and removes what it wrote,
// also after its context has ended. Faults of the root are in the findings, and
// not an error. Sizes are bytes.
//
// It is part of the engine, and may change between minor versions.
package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/store"
)

// Status says what a finding means for jobs.
type Status string

// The statuses.
const (
	OK   Status = "ok"
	Warn Status = "warn" // jobs run, but see the detail
	Fail Status = "fail" // jobs cannot run, or not write
	Skip Status = "skip" // not checked, because something else failed
)

// A Finding is the outcome of one check.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Err    error  `json:"-"` // why it failed; nil otherwise
}

// Report is what an examination found.
type Report struct {
	Version  int       `json:"version"`
	Root     string    `json:"root"`
	Findings []Finding `json:"findings"`
	// Figures, 0 if they could not be measured.
	PutMillis     float64 `json:"putMillis"`     // median time of a small durable write
	GetMillis     float64 `json:"getMillis"`     // median time of a small read
	UpBytesPerS   float64 `json:"upBytesPerS"`   // of one object, by as many connections as a task uses
	DownBytesPerS float64 `json:"downBytesPerS"` // the same
	SkewSeconds   float64 `json:"skewSeconds"`   // by how much the store's clock is ahead of this one
}

// Err returns the first error of a check that failed, or nil.
func (r *Report) Err() error {
	for _, f := range r.Findings {
		if f.Status == Fail {
			return fmt.Errorf("%s: %w", f.Check, f.Err)
		}
	}
	return nil
}

// Options configure an examination.
type Options struct {
	Stores store.Options
	// Bytes is the size of the object that measures throughput. 0: 32 MiB.
	Bytes int64
	// Now reads this machine's clock. Nil: time.Now.
	Now func() time.Time
}

const (
	rounds = 7 // of a latency; their median counts
	small  = 4 << 10
	// Clocks this far apart soon invalidate signed requests (S3 allows 15
	// minutes).
	skewMost = time.Minute
)

// Examine checks the root that a URL names. It returns an error if ctx ends;
// all else is in the report.
func Examine(ctx context.Context, url string, o Options) (*Report, error) {
	if o.Bytes == 0 {
		o.Bytes = 32 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &examination{Options: o, report: &Report{Version: 1, Root: url}}
	root, err := store.Open(ctx, url, o.Stores)
	if !e.found("open", err, "credentials are found and the root is there") {
		return e.report, context.Cause(ctx)
	}
	defer root.Close()
	e.report.Root = root.URL()
	var random [12]byte
	rand.Read(random[:]) // never fails
	e.root, e.base = root, root.Sub("_windrow/doctor/"+hex.EncodeToString(random[:]))
	e.list(ctx)
	e.expiry(ctx)
	if e.write(ctx) {
		e.read(ctx)
		e.once(ctx)
		e.clock(ctx)
		e.throughput(ctx)
	} else {
		e.add(Finding{Check: "all else", Status: Skip, Detail: "not checked, since nothing can be written; the root may still serve as an input"})
	}
	e.cleanUp(ctx)
	return e.report, context.Cause(ctx)
}

type examination struct {
	Options
	root, base *store.Root
	report     *Report
}

func (e *examination) add(f Finding) { e.report.Findings = append(e.report.Findings, f) }

// found records a check that either works or does not.
func (e *examination) found(check string, err error, detail string, args ...any) bool {
	if err != nil {
		e.add(Finding{check, Fail, err.Error(), err})
		return false
	}
	e.add(Finding{check, OK, fmt.Sprintf(detail, args...), nil})
	return true
}

// list finds out whether objects may be listed. Patterns and directories need
// that, and jobs that clean up.
func (e *examination) list(ctx context.Context) {
	for _, err := range e.root.List(ctx, "") {
		e.found("list", err, "objects can be listed")
		return
	}
	e.found("list", nil, "objects can be listed; there are none")
}

// expiry finds out whether the store deletes objects by itself. A cluster cannot work
// without the objects that it wrote long ago.
func (e *examination) expiry(ctx context.Context) {
	const check, harm = "lifecycle", "a cluster's root must have no rule that deletes or archives objects by their age: jobs and leaders would lose their records"
	rules, known, err := e.root.Expiry(ctx)
	switch {
	case !known && !e.root.Remote():
	case !known:
		e.add(Finding{Check: check, Status: Warn, Detail: "the rules of this store cannot be read here; " + harm})
	case err != nil:
		e.add(Finding{Check: check, Status: Warn, Detail: fmt.Sprintf("the rules of the bucket cannot be read (%v); %s", err, harm), Err: err})
	case len(rules) > 0:
		e.add(Finding{Check: check, Status: Warn, Detail: strings.Join(rules, "; ") + "; " + harm})
	default:
		e.found(check, nil, "no rule of the bucket deletes or archives objects here")
	}
}

func (e *examination) write(ctx context.Context) bool {
	body := bytes.Repeat([]byte("windrow "), small/8)
	took, err := e.median(func(n int) error { return e.base.Put(ctx, fmt.Sprintf("small-%d", n), body, store.Durable) })
	e.report.PutMillis = took
	return e.found("write", err, "%d bytes in %s", small, millis(took))
}

func (e *examination) read(ctx context.Context) {
	took, err := e.median(func(n int) error {
		_, err := e.base.Get(ctx, fmt.Sprintf("small-%d", n), small)
		return err
	})
	e.report.GetMillis = took
	e.found("read", err, "%d bytes in %s", small, millis(took))
}

// median returns the median time of some calls in milliseconds.
func (e *examination) median(call func(n int) error) (float64, error) {
	var took []time.Duration
	for n := range rounds {
		start := time.Now()
		if err := call(n); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[rounds/2].Seconds() * 1000, nil
}

func millis(ms float64) string { return fmt.Sprintf("%.1f ms (median of %d)", ms, rounds) }

// once finds out whether the store honours create-once, on which all commits rest.
func (e *examination) once(ctx context.Context) {
	caps, err := e.root.Probe(ctx, store.Multipart)
	if !e.found("create-once", err, "an object that exists is not replaced") {
		return
	}
	if caps.MultipartOnce {
		e.found("create-once in parts", nil, "an object that exists is not replaced by one in parts")
		return
	}
	e.add(Finding{Check: "create-once in parts", Status: Warn,
		Detail: "the store ignores the condition for objects that are written in parts; jobs name parts after their attempts instead, so output is safe"})
}

// clock compares the time that the store gives a new object with this
// machine's. Stores return whole seconds.
func (e *examination) clock(ctx context.Context) {
	before := e.Now()
	err := e.base.Put(ctx, "clock", []byte("now"), store.Scratch)
	after := e.Now()
	var o store.Object
	if err == nil {
		o, err = e.base.Stat(ctx, "clock")
	}
	if err != nil || o.ModTime.IsZero() {
		e.add(Finding{Check: "clock", Status: Warn, Detail: "the store did not say when it wrote an object", Err: err})
		return
	}
	skew := time.Duration(0)
	if first := before.Truncate(time.Second); o.ModTime.Before(first) {
		skew = o.ModTime.Sub(first)
	} else if o.ModTime.After(after) {
		skew = o.ModTime.Sub(after)
	}
	e.report.SkewSeconds = skew.Seconds()
	switch {
	case skew.Abs() > skewMost:
		e.add(Finding{Check: "clock", Status: Warn,
			Detail: fmt.Sprintf("the store's clock is %v off this machine's: set it (NTP), signatures of requests depend on it", skew.Round(time.Second))})
	case skew == 0:
		e.found("clock", nil, "the store's and this machine's agree")
	default:
		e.found("clock", nil, "the store's is %v off this machine's", skew.Round(time.Millisecond))
	}
}

func (e *examination) throughput(ctx context.Context) {
	const chunk = 1 << 20
	body := make([]byte, chunk)
	rand.Read(body) // never fails; noise, so that no layer on the way compresses it
	start := time.Now()
	err := e.upload(ctx, body)
	up := float64(e.Bytes) / math.Max(time.Since(start).Seconds(), 1e-9)
	if !e.found("upload", err, "%s in %s", rate(up), size(e.Bytes)) {
		return
	}
	start = time.Now()
	err = e.download(ctx)
	down := float64(e.Bytes) / math.Max(time.Since(start).Seconds(), 1e-9)
	e.found("download", err, "%s in %s", rate(down), size(e.Bytes))
	e.report.UpBytesPerS = up
	if err == nil {
		e.report.DownBytesPerS = down
	}
}

func rate(bytesPerS float64) string { return fmt.Sprintf("%.0f MB/s", bytesPerS/1e6) }

func size(n int64) string { return fmt.Sprintf("an object of %d MiB", n>>20) }

func (e *examination) upload(ctx context.Context, chunk []byte) error {
	w, err := e.base.Create(ctx, "large", store.CreateOptions{})
	if err != nil {
		return err
	}
	defer w.Abort()
	for left := e.Bytes; left > 0; left -= int64(len(chunk)) {
		if _, err := w.Write(chunk[:min(left, int64(len(chunk)))]); err != nil {
			return err
		}
	}
	return w.Commit()
}

func (e *examination) download(ctx context.Context) error {
	h, err := e.base.OpenObject(ctx, "large", "")
	if err != nil {
		return err
	}
	defer h.Close()
	in := h.Stream(ctx, 0, -1)
	defer in.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, in, make([]byte, 1<<20))
	return err
}

// cleanUpTime bounds the removal of what was written, which continues after the
// examination's context has ended.
const cleanUpTime = 5 * time.Second

func (e *examination) cleanUp(ctx context.Context) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
	}
	err := e.base.DeleteAll(ctx, "", nil)
	if err != nil {
		err = errors.Join(err, fmt.Errorf("left below %s: remove it", e.base.Name("")))
	}
	e.found("delete", err, "everything written here is removed again")
}
