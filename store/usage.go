package store

import (
	"sync/atomic"

	"github.com/windrow-mr/windrow/plan"
)

// requestKind is the kind that a request is counted as.
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
func (m *meter) read() plan.Usage {
	n := func(k requestKind) int64 { return m.requests[k].Load() }
	return plan.Usage{
		Puts: n(putRequest), Heartbeats: n(heartbeatRequest), Multipart: n(multipartRequest), Gets: n(getRequest),
		Stats: n(statRequest), Lists: n(listRequest), Deletes: n(deleteRequest),
		BytesUp: m.bytesUp.Load(), BytesDown: m.bytesDown.Load(),
		Retries: m.retries.Load(), Throttles: m.throttles.Load(), Hedges: m.hedges.Load(),
	}
}
