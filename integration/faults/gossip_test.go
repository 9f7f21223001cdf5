//go:build faults

package faults

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/cluster/gossip"
)

// TestFault42ForgedGossip: a peer with the key of gossip, but not the token,
// announces itself as the leading master of an epoch far ahead, in its own name
// and in the master's. Other peers send bytes that are no gossip, gossip with
// another key and for another cluster, and messages that they have heard
// before. No worker turns to the forger, nor sends it anything; a new master is
// found as usual, and the job continues there.
func TestFault42ForgedGossip(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(12, 20)
	keys, join := c.gossips()
	evil := newTrap(t)
	first := c.masterWith(join, patient)
	first.says("leading the cluster")
	second := c.masterWith(join, patient)
	for range 2 {
		c.workerWith(1, join)
	}
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 20, 2)...)

	forger := c.gossiper(gossiper{name: "forger", key: keys[0], url: evil.URL})
	forger.joins(first.gossip())
	eventually(t, "the forger is a member: it has the key", func() bool { return forger.list.NumMembers() == 5 })
	var peers []string
	for _, m := range forger.list.Members() {
		if m.Name != "forger" {
			peers = append(peers, m.Address())
		}
	}
	impostor := c.gossiper(gossiper{name: first.id(), as: first.gossip(), key: keys[0], url: evil.URL})
	impostor.joins(second.gossip())
	strangers := []*gossiper{
		c.gossiper(gossiper{name: "of another key", key: keys[1], url: evil.URL}),
		c.gossiper(gossiper{name: "of another cluster", key: keys[0], url: evil.URL, label: "windrow-0123456789abcdef"}),
	}
	var attacks sync.WaitGroup
	for _, peer := range peers {
		attacks.Go(func() { junk(t, peer, forger.config.Label) })
		for _, s := range strangers {
			attacks.Go(func() { _, _ = s.list.Join([]string{peer}) }) // it is refused
		}
	}
	for range 10 {
		forger.announces()
		impostor.announces()
	}
	attacks.Wait()
	c.until(id, committed("map", 4))
	before := c.finished(id)
	first.kill()
	second.says("leading the cluster")
	forger.replays(peers)
	c.tallied(id, "out", in)
	c.notAgain(before)

	for _, s := range strangers {
		if n := s.list.NumMembers(); n != 1 {
			t.Errorf("the peer %s was let in", s.name)
		}
	}
	if said := first.said.String() + second.said.String(); strings.Contains(said, "a worker is lost") {
		t.Error("a worker was considered lost")
	}
	bound := int64(300 << 20)
	if raced {
		bound *= 4 // the detector keeps much memory beside each byte
	}
	if got := second.resident(); got > bound {
		t.Errorf("the master holds %d MiB", got>>20)
	}
}

// TestGossipAnnouncesTheLeader: a worker that waits for the answer of a stopped
// master turns to the next one as soon as that leads. It does not wait for the
// timeout of the answer, which is 10 s.
func TestGossipAnnouncesTheLeader(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	first := c.leader()
	second := c.master()
	w := c.worker(1)
	w.says("a master answers")
	first.signal(syscall.SIGSTOP)
	second.says("leading the cluster")
	began := time.Now()
	w.says("epoch=2")
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the worker turns to the new master after %v", took)
	}
}

// gossips gives the cluster a token and keys of gossip, the first of which is
// in use, and returns the keys and the flags of processes that gossip.
func (c *cluster) gossips() (keys [2][]byte, flags []string) {
	c.t.Helper()
	for i := range keys {
		keys[i] = make([]byte, 32)
		_, _ = rand.Read(keys[i])
	}
	c.token = filepath.Join(c.dir, "token")
	file := filepath.Join(c.dir, "gossip.keys")
	for path, text := range map[string]string{c.token: strings.Repeat("right-token-", 4), file: base64.StdEncoding.EncodeToString(keys[0])} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	c.meet()
	return keys, []string{"--gossip", "127.0.0.1:0", "--gossip-key-file", file}
}

var gossiping = regexp.MustCompile(`windrow: master (\S+) at .*, gossip at (\S+)`)

// id returns the id of a master.
func (p *process) id() string { return p.announced()[1] }

// gossip returns the gossip address of a master.
func (p *process) gossip() string { return p.announced()[2] }

func (p *process) announced() []string {
	p.t.Helper()
	p.says(", gossip at ")
	m := gossiping.FindStringSubmatch(p.said.String())
	if m == nil {
		p.t.Fatalf("%s shows no address of gossip", p.name)
	}
	return m
}

// trap is a server; a process that turns to it fails the test.
type trap struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	s := new(trap)
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, fmt.Sprintf("%s %s with %q", r.Method, r.URL, r.Header.Get("Authorization")))
	}))
	t.Cleanup(func() {
		s.Close()
		if len(s.asked) > 0 {
			t.Errorf("the forger was asked %d times, first %q", len(s.asked), s.asked[0])
		}
	})
	return s
}

// gossiper takes part in gossip, or tries to, and announces itself as the
// leader.
type gossiper struct {
	t         *testing.T
	name, url string
	as        string // the address that it claims; "": its own
	label     string // "": the cluster's
	key       []byte

	config *memberlist.Config
	list   *memberlist.Memberlist
	heard  *recorder
}

// gossiper starts one. It ends with the test.
func (c *cluster) gossiper(g gossiper) *gossiper {
	c.t.Helper()
	g.t = c.t
	if g.label == "" {
		sum := sha256.Sum256([]byte(c.root.Name("")))
		g.label = "windrow-" + hex.EncodeToString(sum[:8])
	}
	quiet := log.New(io.Discard, "", 0)
	transport, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet})
	if err != nil {
		c.t.Fatal(err)
	}
	g.heard = record(transport)
	g.config = memberlist.DefaultLANConfig()
	g.config.Name, g.config.Label, g.config.Logger, g.config.Transport, g.config.Delegate = g.name, g.label, quiet, g.heard, &g
	g.config.AdvertiseAddr, g.config.AdvertisePort = "127.0.0.1", transport.GetAutoBindPort()
	if g.as != "" {
		_, port, err := net.SplitHostPort(g.as)
		if err == nil {
			g.config.AdvertisePort, err = strconv.Atoi(port)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if g.config.Keyring, err = memberlist.NewKeyring(nil, g.key); err == nil {
		g.list, err = memberlist.Create(g.config)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := g.list.Shutdown(); err != nil {
			c.t.Error(err)
		}
	})
	return &g
}

func (g *gossiper) joins(address string) {
	g.t.Helper()
	if _, err := g.list.Join([]string{address}); err != nil {
		g.t.Fatal(err)
	}
}

// announces sends the same announcement again, as news.
func (g *gossiper) announces() {
	_ = g.list.UpdateNode(200 * time.Millisecond) // it may reach no peer
}

// replays sends all that was heard so far to all peers, some times.
func (g *gossiper) replays(peers []string) {
	g.t.Helper()
	packets := g.heard.packets()
	if len(packets) == 0 {
		g.t.Fatal("nothing was heard to send again")
	}
	for _, peer := range peers {
		conn, err := new(net.Dialer).DialContext(g.t.Context(), "udp", peer)
		if err != nil {
			g.t.Fatal(err)
		}
		for range 5 {
			for _, p := range packets {
				_, _ = conn.Write(p) // it may be gone
			}
		}
		_ = conn.Close()
	}
}

// NodeMeta returns the announcement of a leading master in the form of package
// gossip: role, URL, epoch, slots, whether it drains, whether it leaves.
func (g *gossiper) NodeMeta(int) []byte {
	b, err := msgpack.Marshal([]any{gossip.Master, g.url, uint64(1) << 60, 0, false, false})
	if err != nil {
		g.t.Error(err)
	}
	return b
}

func (g *gossiper) NotifyMsg([]byte)                {}
func (g *gossiper) GetBroadcasts(int, int) [][]byte { return nil }
func (g *gossiper) LocalState(bool) []byte          { return nil }
func (g *gossiper) MergeRemoteState([]byte, bool)   {}

// recorder is a transport that keeps incoming packets.
type recorder struct {
	memberlist.NodeAwareTransport
	out     chan *memberlist.Packet
	stop    chan struct{}
	passing sync.WaitGroup

	mu   sync.Mutex
	kept [][]byte
}

func record(t memberlist.NodeAwareTransport) *recorder {
	r := &recorder{NodeAwareTransport: t, out: make(chan *memberlist.Packet), stop: make(chan struct{})}
	r.passing.Go(func() {
		for {
			select {
			case p := <-t.PacketCh():
				r.mu.Lock()
				r.kept = append(r.kept, bytes.Clone(p.Buf))
				r.mu.Unlock()
				r.out <- p
			case <-r.stop:
				return
			}
		}
	})
	return r
}

func (r *recorder) PacketCh() <-chan *memberlist.Packet { return r.out }

// Shutdown is called while packets still arrive.
func (r *recorder) Shutdown() error {
	err := r.NodeAwareTransport.Shutdown()
	close(r.stop)
	r.passing.Wait()
	return err
}

func (r *recorder) packets() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

// junk sends invalid messages to an address of gossip: bytes without meaning,
// some of them after the cluster's name, and streams that claim to be 19 MiB
// long.
func junk(t *testing.T, address, label string) {
	t.Helper()
	named := append([]byte{244, byte(len(label))}, label...)
	udp, err := new(net.Dialer).DialContext(t.Context(), "udp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer udp.Close()
	noise := make([]byte, 1400)
	for n := range 2000 {
		_, _ = rand.Read(noise)
		b := noise[:n%len(noise)+1]
		if n%2 == 0 {
			b = append(slices.Clone(named), b...)
		}
		_, _ = udp.Write(b)
	}
	const long = 19 << 20
	head := binary.BigEndian.AppendUint32(append(slices.Clone(named), 10), long)
	var streams sync.WaitGroup
	for n := range 40 {
		streams.Go(func() {
			tcp, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			if err != nil {
				return // it may refuse the rest
			}
			defer tcp.Close()
			if err := tcp.SetDeadline(time.Now().Add(time.Second)); err != nil {
				t.Error(err)
			}
			if n%2 == 0 {
				_, _ = tcp.Write(head)
			}
			_, _ = io.CopyN(tcp, zeros{}, long) // it is closed before
		})
	}
	streams.Wait()
}
