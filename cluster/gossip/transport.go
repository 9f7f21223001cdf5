package gossip

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

// Bounds of what others send by TCP, which have shown no key until it is read:
// the library takes any number of connections, and 20 MiB of each.
const (
	mostStreams     = 16
	mostStreamBytes = 4 << 20 // the state of 10,000 processes has 2 MiB
)

// network returns the transport of a process at an address.
func network(c *memberlist.Config) (memberlist.NodeAwareTransport, error) {
	// A port that is free for TCP may be in use for UDP.
	tries := 1
	if c.BindPort == 0 {
		tries = 10
	}
	var errs []error
	for range tries {
		t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort, Logger: c.Logger})
		if err == nil {
			c.BindPort = t.GetAutoBindPort()
			c.AdvertisePort = c.BindPort
			return t, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[len(errs)-1]
}

// bounded is a transport that takes few streams at once, and few bytes of each.
type bounded struct {
	memberlist.NodeAwareTransport
	log     *slog.Logger
	streams chan net.Conn
	open    chan struct{} // holds a token for each
	stop    chan struct{}
	passing sync.WaitGroup
	ending  sync.Once
	ended   error
}

func newBounded(t memberlist.NodeAwareTransport, log *slog.Logger) *bounded {
	b := &bounded{NodeAwareTransport: t, log: log, streams: make(chan net.Conn), open: make(chan struct{}, mostStreams), stop: make(chan struct{})}
	b.passing.Go(b.pass)
	return b
}

// pass passes streams on, and closes those that are too many: a member tries
// again.
func (b *bounded) pass() {
	in := b.NodeAwareTransport.StreamCh()
	for {
		select {
		case <-b.stop:
			return
		case c := <-in:
			select {
			case b.open <- struct{}{}:
			default:
				b.log.Debug("too many streams of gossip at once", "from", c.RemoteAddr())
				_ = c.Close()
				continue
			}
			s := &stream{Conn: c, close: sync.OnceValue(func() error {
				<-b.open
				return c.Close()
			})}
			select {
			case b.streams <- s:
			case <-b.stop:
				_ = s.Close()
				return
			}
		}
	}
}

func (b *bounded) StreamCh() <-chan net.Conn { return b.streams }

// Shutdown ends the transport.
func (b *bounded) Shutdown() error {
	b.ending.Do(func() {
		close(b.stop)
		b.passing.Wait()
		// Its listeners end when no stream is left to pass on.
		ended := make(chan struct{})
		b.passing.Go(func() { refuse(b.NodeAwareTransport.StreamCh(), ended) })
		b.ended = b.NodeAwareTransport.Shutdown()
		close(ended)
		b.passing.Wait()
	})
	return b.ended
}

// refuse closes streams until that ends.
func refuse(in <-chan net.Conn, ended <-chan struct{}) {
	for {
		select {
		case c := <-in:
			_ = c.Close()
		case <-ended:
			return
		}
	}
}

// stream is a connection that ends when enough was read of it.
type stream struct {
	net.Conn
	read  atomic.Int64
	close func() error
}

var errTooLong = errors.New("this is more than the state of a cluster")

func (s *stream) Read(p []byte) (int, error) {
	if s.read.Load() >= mostStreamBytes {
		return 0, errTooLong
	}
	n, err := s.Conn.Read(p)
	s.read.Add(int64(n))
	return n, err
}

func (s *stream) Close() error { return s.close() }
