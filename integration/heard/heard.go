// Package heard lets tests wait for the output of processes. Tests of
// integration and of the packages below it use it. A Text may be used by any
// number of goroutines.
package heard

import (
	"strings"
	"sync"
	"time"
)

// Text gathers the output of a process, and lets a test wait for words.
type Text struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

// Write adds text.
func (w *Text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.more != nil {
		close(w.more)
		w.more = nil
	}
	return w.text.Write(p)
}

// String returns all text so far.
func (w *Text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// Wait reports whether words appear before the process ends or patience runs
// out. A nil exited is a process that does not end.
func (w *Text) Wait(words string, exited <-chan struct{}, patience time.Duration) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for over := false; ; {
		w.mu.Lock()
		found := strings.Contains(w.text.String(), words)
		if w.more == nil {
			w.more = make(chan struct{})
		}
		more := w.more
		w.mu.Unlock()
		if found || over {
			return found
		}
		select {
		case <-more:
		case <-exited:
			over = true
		case <-deadline.C:
			over = true
		}
	}
}
