package gossip_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/windrow-mr/windrow/cluster/gossip"
)

// peer is a node with its events.
type peer struct {
	*gossip.Node
	events chan gossip.Event
}

func start(t *testing.T, c gossip.Config) *peer {
	t.Helper()
	p := &peer{events: make(chan gossip.Event, 1000)}
	if c.Cluster == "" {
		c.Cluster = "test"
	}
	if c.Bind == "" {
		c.Bind = "127.0.0.1:0"
	}
	c.Rejoin = 50 * time.Millisecond
	c.Notify = func(e gossip.Event) { p.events <- e }
	var err error
	if p.Node, err = gossip.Start(c); err != nil {
		t.Fatal(err)
	}
	return p
}

// await takes events until one is of a kind and a member.
func (p *peer) await(t *testing.T, k gossip.Kind, name string) gossip.Event {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case e := <-p.events:
			if e.Kind == k && e.Member.Name == name {
				return e
			}
		case <-deadline.C:
			t.Fatalf("no event of kind %d of %s", k, name)
		}
	}
}

func stop(t *testing.T, p *peer) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestProcessesFindEachOtherAndSpreadNews(t *testing.T) {
	t.Parallel()
	keys := [][]byte{bytes.Repeat([]byte{7}, 32)}
	a := start(t, gossip.Config{Name: "a", Keys: keys, Meta: gossip.Meta{Role: gossip.Standby, URL: "http://a"}})
	defer stop(t, a)
	b := start(t, gossip.Config{Name: "b", Keys: keys, Seeds: []string{a.Address()}, Meta: gossip.Meta{Role: gossip.Worker, Slots: 4}})
	c := start(t, gossip.Config{Name: "c", Keys: keys, Seeds: []string{a.Address()}, Meta: gossip.Meta{Role: gossip.Worker, Slots: 2}})
	defer stop(t, c)
	if e := c.await(t, gossip.Joined, "b"); e.Member.Meta.Slots != 4 || e.Member.Meta.Role != gossip.Worker {
		t.Errorf("c knows of b %+v", e.Member)
	}
	if err := a.Announce(gossip.Meta{Role: gossip.Master, URL: "http://a", Epoch: 3}); err != nil {
		t.Fatal(err)
	}
	if e := c.await(t, gossip.Changed, "a"); e.Member.Meta != (gossip.Meta{Role: gossip.Master, URL: "http://a", Epoch: 3}) {
		t.Errorf("the leader is %+v", e.Member)
	}
	if err := b.Announce(gossip.Meta{Role: gossip.Worker, Slots: 4, Draining: true}); err != nil {
		t.Fatal(err)
	}
	if e := a.await(t, gossip.Changed, "b"); !e.Member.Meta.Draining {
		t.Errorf("a knows of b %+v", e.Member)
	}
	stop(t, b)
	a.await(t, gossip.Left, "b")
}

func TestAPeerThatStartsLaterIsFound(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	a := start(t, gossip.Config{Name: "a", Seeds: []string{address}})
	defer stop(t, a)
	b := start(t, gossip.Config{Name: "b", Bind: address})
	defer stop(t, b)
	a.await(t, gossip.Joined, "b")
}

// wire is a transport that can be cut.
type wire struct {
	memberlist.Transport
	cut *atomic.Bool
}

var errCut = fmt.Errorf("the network is cut")

func (w *wire) WriteTo(b []byte, addr string) (time.Time, error) {
	if w.cut.Load() {
		return time.Now(), nil // lost
	}
	return w.Transport.WriteTo(b, addr)
}

func (w *wire) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	if w.cut.Load() {
		return nil, errCut
	}
	return w.Transport.DialTimeout(addr, timeout)
}

// TestACutNetworkRecovers verifies that after a cut the halves suspect each
// other, and find each other again.
func TestACutNetworkRecovers(t *testing.T) {
	t.Parallel()
	var network memberlist.MockNetwork
	var cut atomic.Bool
	node := func(name string, seeds ...string) (*peer, string) {
		transport := network.NewTransport(name)
		_, port, err := transport.FinalAdvertiseAddr("", 0)
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, gossip.Config{Name: name, Bind: fmt.Sprintf("127.0.0.1:%d", port), Seeds: seeds, Transport: &wire{transport, &cut}})
		return p, fmt.Sprintf("127.0.0.1:%d", port)
	}
	a, at := node("a")
	b, _ := node("b", at)
	a.await(t, gossip.Joined, "b")
	cut.Store(true)
	b.await(t, gossip.Suspect, "a")
	a.await(t, gossip.Suspect, "b")
	cut.Store(false)
	b.await(t, gossip.Joined, "a")
	a.await(t, gossip.Joined, "b")
	stop(t, b)
	stop(t, a)
}

// TestStrangersAreNotLetIn verifies that processes of another cluster, or
// without the key, are not let in.
func TestStrangersAreNotLetIn(t *testing.T) {
	t.Parallel()
	keys := [][]byte{bytes.Repeat([]byte{7}, 32)}
	a := start(t, gossip.Config{Name: "a", Keys: keys})
	defer stop(t, a)
	strangers := []*peer{
		start(t, gossip.Config{Name: "other cluster", Cluster: "other", Keys: keys, Seeds: []string{a.Address()}}),
		start(t, gossip.Config{Name: "no key", Seeds: []string{a.Address()}}),
		start(t, gossip.Config{Name: "other key", Keys: [][]byte{bytes.Repeat([]byte{8}, 32)}, Seeds: []string{a.Address()}}),
	}
	friend := start(t, gossip.Config{Name: "friend", Keys: keys, Seeds: []string{a.Address()}})
	defer stop(t, friend)
	a.await(t, gossip.Joined, "friend")
	for _, s := range strangers {
		if n := len(s.Members()); n != 1 {
			t.Errorf("a stranger has %d members", n)
		}
		stop(t, s)
	}
	for _, m := range a.Members() {
		if m.Name != "a" && m.Name != "friend" {
			t.Errorf("%s was let in", m.Name)
		}
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]gossip.Config{
		"needs a name":      {Cluster: "c", Bind: "127.0.0.1:0"},
		"is not HOST:PORT":  {Name: "a", Cluster: "c", Bind: "127.0.0.1"},
		"needs a key":       {Name: "a", Cluster: "c", Bind: "0.0.0.0:0"},
		"has 5 bytes":       {Name: "a", Cluster: "c", Bind: "127.0.0.1:0", Keys: [][]byte{[]byte("short")}},
		"may have 256 byte": {Name: "a", Cluster: "c", Bind: "127.0.0.1:0", Meta: gossip.Meta{URL: strings.Repeat("x", 300)}},
	} {
		if _, err := gossip.Start(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
