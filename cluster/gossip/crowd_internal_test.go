package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// TestMembersAreBounded verifies that a process with the key cannot add members
// without bound.
func TestMembersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &delegate{cfg: Config{Name: "self"}, peers: make(map[string]peer), room: room{left: mostPeers, at: time.Now()}}
		announce := func(name string) error {
			m := &memberlist.Node{Name: name, Meta: []byte{0x96, 1, 0xa0, 0, 0, 0xc2, 0xc2}}
			err := d.NotifyAlive(m)
			if err == nil {
				d.NotifyJoin(m)
			}
			return err
		}
		for n := range mostPeers {
			if err := announce(fmt.Sprint("peer ", n)); err != nil {
				t.Fatalf("member %d: %v", n, err)
			}
		}
		if err := announce("one more"); err == nil {
			t.Error("any number of members is taken")
		}
		if err := announce("self"); err != nil {
			t.Errorf("the node itself: %v", err)
		}
		if err := announce("peer 7"); err != nil {
			t.Errorf("one that is known: %v", err)
		}
		time.Sleep(time.Hour)
		if err := announce("another, later"); err == nil {
			t.Error("more and more members are taken as time goes by")
		}

		// The same holds for members that come and go.
		for n := range mostPeers {
			d.NotifyLeave(&memberlist.Node{Name: fmt.Sprint("peer ", n), Meta: []byte{0x96, 1, 0xa0, 0, 0, 0xc2, 0xc2}})
		}
		d.room = room{at: time.Now()}
		time.Sleep(time.Second)
		taken := 0
		for n := range 1000 {
			if announce(fmt.Sprint("late ", n)) == nil {
				taken++
			}
		}
		if taken != newPerHour/3600 {
			t.Errorf("a second after the crowd %d new members are taken", taken)
		}
	})
}

// TestStreamsAreBounded verifies that a process without the key can hold few
// streams.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	n, err := Start(Config{Name: "a", Cluster: "test", Bind: "127.0.0.1:0", Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	}()
	dial := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", n.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.SetDeadline(time.Now().Add(8 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	held := make([]net.Conn, mostStreams)
	for i := range held {
		held[i] = dial()
		// The cluster's name, and an encrypted state of 16 MiB.
		if _, err := held[i].Write([]byte("\xf4\x04test\x0a\x01\x00\x00\x00")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial().Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one stream too many is kept: %v", err)
	}
}

// handed is a transport that passes on connections of a test.
type handed struct {
	memberlist.NodeAwareTransport
	conns chan net.Conn
}

func (h handed) StreamCh() <-chan net.Conn { return h.conns }
func (handed) Shutdown() error             { return nil }

// TestStreamsAreShort verifies that a stream with more than the state of a
// cluster is not read to its end.
func TestStreamsAreShort(t *testing.T) {
	t.Parallel()
	h := handed{conns: make(chan net.Conn)}
	b := newBounded(h, slog.New(slog.DiscardHandler))
	defer func() {
		if err := b.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		for {
			if _, err := theirs.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	h.conns <- ours
	s := <-b.StreamCh()
	if n, err := io.Copy(io.Discard, io.LimitReader(s, 2*mostStreamBytes)); !errors.Is(err, errTooLong) || n < mostStreamBytes || n > mostStreamBytes+1<<20 {
		t.Errorf("%d bytes are read: %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
