package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// lineHandler is a log handler for people. It writes a line such as
//
//	windrow: note: compressed objects cannot be split (objects 3, bytes 12)
type lineHandler struct {
	name  string
	level slog.Level
	attrs []slog.Attr

	mu *sync.Mutex
	to io.Writer
}

// newLog returns a logger that writes lines for people.
func newLog(to io.Writer, name string, level slog.Level) *slog.Logger {
	return slog.New(&lineHandler{name: name, level: level, mu: new(sync.Mutex), to: to})
}

// Enabled reports whether a record of that level is written.
func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle writes a record.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	kind := ""
	switch {
	case r.Level >= slog.LevelError:
		kind = "error: "
	case r.Level >= slog.LevelInfo:
		kind = "note: "
	}
	fmt.Fprintf(&b, "%s: %s%s", h.name, kind, r.Message)
	var facts []string
	add := func(a slog.Attr) bool {
		facts = append(facts, fmt.Sprintf("%s %v", a.Key, a.Value))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	if len(facts) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(facts, ", "))
	}
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.to.Write(b.Bytes())
	return err
}

// WithAttrs returns a handler that adds attributes to every record.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(slices.Clip(c.attrs), attrs...)
	return &c
}

// WithGroup returns the handler itself: lines for people have no groups.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }
