package auth

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// Bounds of connections on which no accepted request has come.
const (
	mostGuests = 1024 // and at most a quarter of the process's descriptors
	// unknownDescriptors is the number of descriptors where the system names none.
	unknownDescriptors = 1024
)

// guests are the connections of a server on which no accepted request has come.
// One more than the bound closes the oldest, so that strangers, who hold
// connections, keep neither descriptors nor clients out.
type guests struct {
	most int

	mu    sync.Mutex
	all   list.List // of net.Conn, the oldest first
	conns map[net.Conn]*list.Element
}

// guest is one connection.
type guest struct {
	conn net.Conn
	of   *guests
}

type guestKey struct{}

// Bound bounds the connections of an HTTP server on which no accepted request has
// come. It takes the hooks ConnContext and ConnState of the server.
func (s *Server) Bound(server *http.Server) {
	g := &guests{most: s.guests, conns: make(map[net.Conn]*list.Element)}
	if g.most == 0 {
		g.most = max(min(mostGuests, descriptors()/4), 1)
	}
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		g.enter(conn)
		return context.WithValue(ctx, guestKey{}, &guest{conn, g})
	}
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			g.leave(conn)
		}
	}
}

// enter takes a connection in.
func (g *guests) enter(conn net.Conn) {
	g.mu.Lock()
	g.conns[conn] = g.all.PushBack(conn)
	var oldest net.Conn
	if g.all.Len() > g.most {
		oldest, _ = g.all.Front().Value.(net.Conn)
	}
	g.mu.Unlock()
	if oldest != nil {
		g.leave(oldest)
		_ = oldest.Close() // its client, if it is one, connects again
	}
}

// leave forgets a connection, which has ended or made an accepted request.
func (g *guests) leave(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.conns[conn]; e != nil {
		g.all.Remove(e)
		delete(g.conns, conn)
	}
}

// accepted notes that a request was accepted.
func accepted(r *http.Request) {
	if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
		g.of.leave(g.conn)
	}
}
