package store

import "sync/atomic"

// Usage counts what a root was asked to do, in requests as a bucket would bill
// them and in bytes. Roots on files count the same operations.
type Usage struct {
	Puts       int64 // whole objects written
	Heartbeats int64 // puts of class Heartbeat, not in Puts
	Multipart  int64 // begins, parts, completions and aborts of uploads
	Gets       int64 // ranges and whole objects read
	Stats      int64 // requests for an object's size and version
	Lists      int64 // pages, of objects or of uploads
	Deletes    int64
	BytesUp    int64
	BytesDown  int64
	Retries    int64 // repeated requests, also counted above
	Throttles  int64 // requests that the store refused to slow us down
	Hedges     int64 // ranges that were slow and asked for a second time, also counted in Gets
}

// Requests returns the number of requests of all kinds.
func (u Usage) Requests() int64 {
	return u.Puts + u.Heartbeats + u.Multipart + u.Gets + u.Stats + u.Lists + u.Deletes
}

// Plus returns what was counted here and there.
func (u Usage) Plus(o Usage) Usage {
	return u.Minus(Usage{}.Minus(o))
}

// Minus returns what was counted since an earlier count.
func (u Usage) Minus(earlier Usage) Usage {
	return Usage{
		Puts: u.Puts - earlier.Puts, Heartbeats: u.Heartbeats - earlier.Heartbeats, Multipart: u.Multipart - earlier.Multipart,
		Gets: u.Gets - earlier.Gets, Stats: u.Stats - earlier.Stats, Lists: u.Lists - earlier.Lists, Deletes: u.Deletes - earlier.Deletes,
		BytesUp: u.BytesUp - earlier.BytesUp, BytesDown: u.BytesDown - earlier.BytesDown,
		Retries: u.Retries - earlier.Retries, Throttles: u.Throttles - earlier.Throttles, Hedges: u.Hedges - earlier.Hedges,
	}
}

// requestKind is what a request is counted as.
type requestKind int

const (
	putRequest requestKind = iota
	heartbeatRequest
	multipartRequest
	getRequest
	statRequest
	listRequest
	deleteRequest
	requestKinds
)

// meter counts for all roots that share a driver.
type meter struct {
	requests           [requestKinds]atomic.Int64
	bytesUp, bytesDown atomic.Int64
	retries, throttles atomic.Int64
	hedges             atomic.Int64
}

// read returns the counts. They are read one after another: a request in
// flight may be in some and not in others.
func (m *meter) read() Usage {
	n := func(k requestKind) int64 { return m.requests[k].Load() }
	return Usage{
		Puts: n(putRequest), Heartbeats: n(heartbeatRequest), Multipart: n(multipartRequest), Gets: n(getRequest),
		Stats: n(statRequest), Lists: n(listRequest), Deletes: n(deleteRequest),
		BytesUp: m.bytesUp.Load(), BytesDown: m.bytesDown.Load(),
		Retries: m.retries.Load(), Throttles: m.throttles.Load(), Hedges: m.hedges.Load(),
	}
}
