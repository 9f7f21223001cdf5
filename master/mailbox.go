package master

import (
	"sync"

	"github.com/windrow-mr/windrow/master/scheduler"
)

// Mailbox passes events to a shell, in order. It never blocks the sender, so a
// pool may post from any goroutine.
type Mailbox struct {
	ready chan struct{} // holds one token while there are letters

	mu      sync.Mutex
	letters []letter
}

// letter is an event, or the error that came in its place, or a question.
type letter struct {
	event scheduler.Event
	err   error
	look  func(*scheduler.Job)
}

// NewMailbox returns an empty mailbox.
func NewMailbox() *Mailbox { return &Mailbox{ready: make(chan struct{}, 1)} }

// Post adds events. The shell takes no other between them.
//
//go:noinline
func (m *Mailbox) Post(events ...scheduler.Event) {
	letters := make([]letter, len(events))
	for i := range events {
		letters[i].event = events[i]
	}
	m.post(letters...)
}

// Look calls f with the job between two steps, on the shell's goroutine. f must
// be quick, keep nothing of the job, and change nothing.
func (m *Mailbox) Look(f func(*scheduler.Job)) { m.post(letter{look: f}) }

func (m *Mailbox) post(letters ...letter) {
	m.mu.Lock()
	m.letters = append(m.letters, letters...)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

func (m *Mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := m.letters
	m.letters = nil
	return letters
}
