package gossip

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// Bounds of what a process keeps of others, which have the key and may still be
// hostile, or broken.
const (
	mostName   = 128   // bytes
	mostPeers  = 20000 // at once
	newPerHour = 36000 // of new members, after mostPeers in a short time
)

// room is how many more members are accepted. The library forgets members late,
// and gives no sign of it.
type room struct {
	left float64
	at   time.Time
}

// take takes room for one member.
func (r *room) take(now time.Time) bool {
	r.left = min(r.left+now.Sub(r.at).Hours()*newPerHour, mostPeers)
	r.at = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

var _ memberlist.AliveDelegate = (*delegate)(nil)

var errCrowd = errors.New("there are too many members, or too many new ones")

// NotifyAlive refuses nodes that are no members, and members beyond the bound.
func (d *delegate) NotifyAlive(m *memberlist.Node) error {
	if len(m.Name) > mostName || len(m.Meta) > memberlist.MetaMaxSize {
		return fmt.Errorf("a name of %d bytes, and %d about it, do not belong to a process of windrow", len(m.Name), len(m.Meta))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.peers[m.Name]; known || m.Name == d.cfg.Name {
		return nil
	}
	if len(d.peers) >= mostPeers || !d.room.take(time.Now()) {
		return errCrowd
	}
	return nil
}
