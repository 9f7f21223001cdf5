package runner

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/plan"
)

// pool limits the number of processes to those that there is memory for, and
// keeps idle ones for the next attempt of their job.
type pool struct {
	slots   chan struct{} // one for each process that is there
	closing sync.WaitGroup

	mu   sync.Mutex
	idle []*process // in the order in which they became idle
}

func newPool(slots int) *pool { return &pool{slots: make(chan struct{}, slots)} }

// acquire returns an idle process of the job, or nil. Then there is room for
// another process, and release gives the room back.
func (p *pool) acquire(ctx context.Context, id plan.JobID, task plan.TaskID) (*process, error) {
	for {
		own, other := p.take(id, task)
		if own != nil {
			if own.alive() {
				return own, nil
			}
			p.release(own, false)
			continue
		}
		select {
		case p.slots <- struct{}{}:
			if other != nil {
				p.put(other)
			}
			return nil, nil
		default:
		}
		if other != nil { // it makes room
			p.release(other, false)
			continue
		}
		select {
		case p.slots <- struct{}{}:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take takes an idle process of the job, or else the process of another job that
// is idle for longest.
func (p *pool) take(id plan.JobID, task plan.TaskID) (own, other *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := -1
	for j, q := range p.idle {
		if q.job == id && (i < 0 || q.behind(task) < p.idle[i].behind(task)) {
			i = j
		}
	}
	if i >= 0 {
		own = p.idle[i]
		p.idle = slices.Delete(p.idle, i, i+1)
		return own, nil
	}
	if len(p.idle) > 0 {
		other = p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	return nil, other
}

// behind returns by how many partitions a reduce is behind the process's last
// one: the nearest process may have fetched the bytes of the reduce. See
// shuffle.Groups.
func (p *process) behind(task plan.TaskID) int {
	if task.Phase != plan.Reduce || p.last.Phase != plan.Reduce || p.last.Index > task.Index {
		return math.MaxInt
	}
	return task.Index - p.last.Index
}

func (p *pool) put(q *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append([]*process{q}, p.idle...)
}

// release returns a process to the pool. A process that can no longer be used
// is ended first; nil was never there.
func (p *pool) release(q *process, healthy bool) {
	if q != nil && healthy {
		p.mu.Lock()
		p.idle = append(p.idle, q)
		p.mu.Unlock()
		return
	}
	if q != nil {
		q.end()
	}
	<-p.slots
}

// forget ends the idle processes of a job.
func (p *pool) forget(id plan.JobID) {
	p.mu.Lock()
	var of []*process
	p.idle = slices.DeleteFunc(p.idle, func(q *process) bool {
		if q.job == id {
			of = append(of, q)
		}
		return q.job == id
	})
	p.mu.Unlock()
	for _, q := range of {
		p.closing.Go(func() { p.release(q, false) })
	}
}

// close ends all processes, and waits for their end.
func (p *pool) close() {
	p.mu.Lock()
	all := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, q := range all {
		p.closing.Go(func() { p.release(q, false) })
	}
	p.closing.Wait()
}
