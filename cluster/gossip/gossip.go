// Package gossip finds the processes of a cluster and spreads news among them:
// which master leads, which workers drain, and which processes others cannot reach.
// All of it is a hint that makes the cluster quicker. Nothing is decided by it: the
// store says which master leads, and the master's leases say which workers are
// lost. A process with the key may claim anything, also that it leads. So no
// process sends a token, or obeys, because of gossip, and a process bounds what it
// keeps of others.
//
// Masters and workers join, unless gossip is turned off. It is SWIM by
// github.com/hashicorp/memberlist (Das, Gupta and Motivala 2002, with Lifeguard),
// over UDP and TCP, encrypted when there are keys.
//
// Any number of goroutines may use a Node. It passes on events one at a time; they
// must be handled quickly. When no peer can be reached a node is alone and keeps
// trying; that is no error. Sizes are bytes.
//
// It is part of the engine, and may change between minor versions.
package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan/packed"
)

// Role is the role of a process.
type Role uint8

// The roles.
const (
	Worker Role = iota + 1
	Standby
	Master
)

// Meta is what a process announces about itself.
type Meta struct {
	Role     Role
	URL      string // where its API is
	Epoch    uint64 // of a master that leads
	Slots    int    // of a worker
	Draining bool   // a worker that takes no more work, as it will end soon
}

// metaMost bounds Meta at rest: it travels with every exchange of states.
const metaMost = 256

// Member is a process as this one knows it.
type Member struct {
	Name string
	Meta Meta
}

// Kind says what happened to a member.
type Kind uint8

// The kinds of events.
const (
	Joined  Kind = iota + 1 // it is new, or can be reached again
	Changed                 // it announces other facts
	Suspect                 // others cannot reach it
	Left                    // it has left by itself
)

// Event is news about a member.
type Event struct {
	Kind   Kind
	Member Member
}

// Config describes a process and its gossip.
type Config struct {
	// Name is the process's own, and of no earlier process.
	Name string
	// Cluster is sent with every message, so that two clusters do not mix.
	Cluster string
	// Bind is HOST:PORT for UDP and TCP; port 0 picks one.
	Bind string
	// Advertise is the host at which others reach this process. "": that of
	// Bind.
	Advertise string
	// Keys encrypt: 16, 24 or 32 bytes each. All are tried for reading; the first
	// encrypts. None is allowed only on loopback.
	Keys [][]byte
	// Seeds are HOST:PORT of the first peers to try. They are tried again while
	// one of them is not among the members.
	Seeds []string
	// Meta is this process's first announcement.
	Meta Meta
	// Notify receives events. Nil: none are sent.
	Notify func(Event)
	// Log receives events of the gossip itself. Nil: no log.
	Log *slog.Logger
	// Transport replaces the network. Nil: the network.
	Transport memberlist.Transport
	// Rejoin is how often missing seeds are tried. 0: 2 s.
	Rejoin time.Duration
}

// peer is a member that can be reached. The library's own list changes while it
// is read.
type peer struct {
	Member
	address string
	leaving bool
}

// Node takes part in a cluster's gossip.
type Node struct {
	cfg  Config
	list *memberlist.Memberlist

	mu    sync.Mutex
	own   Meta   // what this process announces
	meta  []byte // own, at rest
	peers map[string]peer
	room  room

	stop context.CancelFunc
	done sync.WaitGroup
}

// validate returns an error that names the first invalid field.
func (c *Config) validate() error {
	host, _, err := net.SplitHostPort(c.Bind)
	switch {
	case c.Name == "" || c.Cluster == "":
		return errors.New("gossip needs a name for the process and one for the cluster")
	case err != nil:
		return fmt.Errorf("gossip address %q is not HOST:PORT: %w", c.Bind, err)
	}
	ip := net.ParseIP(host)
	if len(c.Keys) == 0 && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("gossip on %s, which others can reach, needs a key: give one, or bind to 127.0.0.1", c.Bind)
	}
	for i, k := range c.Keys {
		if len(k) != 16 && len(k) != 24 && len(k) != 32 {
			return fmt.Errorf("gossip key %d has %d bytes; it must have 16, 24 or 32", i+1, len(k))
		}
	}
	return nil
}

// Start joins the gossip. It returns before any peer is reached. Stop ends it.
func Start(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Rejoin == 0 {
		cfg.Rejoin = 2 * time.Second
	}
	n := &Node{cfg: cfg, peers: make(map[string]peer), room: room{left: mostPeers, at: time.Now()}}
	if err := n.encode(cfg.Meta, false); err != nil {
		return nil, err
	}
	list, err := n.listConfig()
	if err != nil {
		return nil, err
	}
	if n.list, err = memberlist.Create(list); err != nil {
		err = fmt.Errorf("gossip on %s: %w", cfg.Bind, err)
		if cfg.Transport == nil {
			err = errors.Join(err, list.Transport.Shutdown()) // the library did not make it
		}
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.done.Go(func() { n.rejoin(ctx) })
	return n, nil
}

func (n *Node) listConfig() (*memberlist.Config, error) {
	c := memberlist.DefaultLANConfig()
	host, port, err := net.SplitHostPort(n.cfg.Bind)
	if err != nil {
		return nil, err
	}
	c.BindAddr, c.AdvertiseAddr = host, n.cfg.Advertise
	if c.BindPort, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("gossip address %q: the port is not a number", n.cfg.Bind)
	}
	c.AdvertisePort = c.BindPort
	c.Name, c.Label = n.cfg.Name, n.cfg.Cluster
	c.Transport = n.cfg.Transport
	c.Delegate, c.Events, c.Alive = (*delegate)(n), (*delegate)(n), (*delegate)(n)
	c.Logger = slog.NewLogLogger(n.cfg.Log.Handler(), slog.LevelDebug)
	if len(n.cfg.Keys) > 0 {
		if c.Keyring, err = memberlist.NewKeyring(n.cfg.Keys, n.cfg.Keys[0]); err != nil {
			return nil, fmt.Errorf("gossip keys: %w", err)
		}
	}
	if c.Transport == nil {
		t, err := network(c)
		if err != nil {
			return nil, fmt.Errorf("gossip on %s: %w", n.cfg.Bind, err)
		}
		c.Transport = newBounded(t, n.cfg.Log)
	}
	return c, nil
}

// Address returns where this process listens.
func (n *Node) Address() string { return n.list.LocalNode().Address() }

// Members returns the processes that can be reached, this one included, in
// order of their names.
func (n *Node) Members() []Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]Member, 0, len(n.peers))
	for _, p := range n.peers {
		all = append(all, p.Member)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// announceTime bounds how long it may take to pass news to the first peers.
const announceTime = time.Second

// Announce changes what this process announces about itself.
func (n *Node) Announce(m Meta) error {
	if err := n.encode(m, false); err != nil {
		return err
	}
	if err := n.list.UpdateNode(announceTime); err != nil {
		n.cfg.Log.Debug("news has not reached any peer yet", "error", err)
	}
	return nil
}

// Stop announces the end of this process and leaves.
func (n *Node) Stop() error {
	n.stop()
	n.done.Wait()
	n.mu.Lock()
	own := n.own
	n.mu.Unlock()
	// The library does not show others whether a member died or left.
	if err := n.encode(own, true); err == nil {
		_ = n.list.UpdateNode(announceTime) // a peer that it does not reach takes the member for lost
	}
	if err := n.list.Leave(announceTime); err != nil {
		n.cfg.Log.Debug("no peer received the goodbye", "error", err)
	}
	return n.list.Shutdown()
}

func (n *Node) encode(m Meta, leaving bool) error {
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	e.UseArrayEncodedStructs(true)
	err := e.Encode(&wireMeta{m.Role, m.URL, m.Epoch, m.Slots, m.Draining, leaving})
	b := buf.Bytes()
	if err == nil && len(b) > metaMost {
		err = fmt.Errorf("what a process announces may have %d bytes, these are %d: %s", metaMost, len(b), m.URL)
	}
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.own, n.meta = m, b
	return nil
}

// wireMeta is Meta in a message. Fields are only added, at the end.
type wireMeta struct {
	Role     Role
	URL      string
	Epoch    uint64
	Slots    int
	Draining bool
	Leaving  bool
}

func peerOf(m *memberlist.Node) (peer, bool) {
	var w wireMeta
	if len(m.Meta) > metaMost || packed.Check(m.Meta) != nil || msgpack.Unmarshal(m.Meta, &w) != nil {
		return peer{}, false // of another program, or of another version
	}
	return peer{Member{m.Name, Meta{w.Role, w.URL, w.Epoch, w.Slots, w.Draining}}, m.Address(), w.Leaving}, true
}

// rejoin tries the seeds that are not among the members: those that were not
// there yet, and the other half after the network was cut in two, which the
// library does not repair by itself.
func (n *Node) rejoin(ctx context.Context) {
	ticker := time.NewTicker(n.cfg.Rejoin)
	defer ticker.Stop()
	for {
		if missing := n.missing(ctx); len(missing) > 0 {
			if _, err := n.list.Join(missing); err != nil {
				n.cfg.Log.Debug("peers cannot be reached", "peers", missing, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// missing returns the seeds that are no members.
func (n *Node) missing(ctx context.Context) []string {
	known := make(map[string]bool)
	n.mu.Lock()
	for _, p := range n.peers {
		known[p.address] = true
	}
	n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.cfg.Seeds), func(seed string) bool {
		return slices.ContainsFunc(addresses(ctx, seed), func(a string) bool { return known[a] })
	})
}

// addresses returns HOST:PORT with the host as addresses, if it is a name that
// can be looked up.
func addresses(ctx context.Context, seed string) []string {
	host, port, err := net.SplitHostPort(seed)
	if err != nil || net.ParseIP(host) != nil {
		return []string{seed}
	}
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil
	}
	for i := range hosts {
		hosts[i] = net.JoinHostPort(hosts[i], port)
	}
	return hosts
}

// delegate has the methods of a Node that memberlist calls.
type delegate Node

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
)

func (d *delegate) NodeMeta(limit int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta[:min(limit, len(d.meta))]
}

func (d *delegate) NotifyMsg([]byte)                {}
func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d *delegate) LocalState(bool) []byte          { return nil }
func (d *delegate) MergeRemoteState([]byte, bool)   {}

func (d *delegate) notify(k Kind, m *memberlist.Node) {
	p, ok := peerOf(m)
	if !ok {
		return
	}
	d.mu.Lock()
	if k == Joined || k == Changed {
		d.peers[m.Name] = p
	} else {
		delete(d.peers, m.Name)
	}
	d.mu.Unlock()
	if k == Suspect && p.leaving {
		k = Left
	}
	if d.cfg.Notify != nil {
		d.cfg.Notify(Event{k, p.Member})
	}
}

func (d *delegate) NotifyJoin(m *memberlist.Node)   { d.notify(Joined, m) }
func (d *delegate) NotifyUpdate(m *memberlist.Node) { d.notify(Changed, m) }
func (d *delegate) NotifyLeave(m *memberlist.Node)  { d.notify(Suspect, m) }
