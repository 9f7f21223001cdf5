package shuffle

import (
	"context"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/plan"
)

// Groups fetches read groups: one request for each run fetches its extents of
// adjacent partitions. It keeps the bytes for the partitions that this process
// reduces next, until all are reduced or another group needs the room. It is
// safe for concurrent use.
//
// A group's memory is a stage of its own. An attempt waits for the group before
// it takes its share of the budget; an attempt with a share waits for no group.
// So no cycle of waits is possible.
type Groups struct {
	budget *Budget
	room   int64 // bytes that all groups may take

	mu     sync.Mutex
	groups []*group // in order of when they were last wanted
	used   int64
	change chan struct{} // closed when a group releases something
	others int           // stages that wait for the budget
	spare  [][]byte      // buffers of groups that are gone
	idle   int64         // bytes of spare
}

// group is the data of all runs for some adjacent partitions.
type group struct {
	index, size int // partitions index·size and following
	need        int64
	refs        int
	left        map[int]bool // partitions that are not reduced yet

	cancel context.CancelFunc
	ready  chan struct{} // closed when all bytes, or err, are there
	mem    *Grant
	err    error
	ranges []heldRange
	byRun  map[string]*heldRange
}

// heldRange is the part of a run that a group holds.
type heldRange struct {
	run       *plan.Run
	off, stop int64
	data      []byte
}

// Held is a group that a partition is read from. It is safe for concurrent use.
type Held struct {
	groups    *Groups
	group     *group
	partition int
	released  sync.Once
}

// NewGroups returns an empty store of groups, which take up to room bytes of
// the budget.
func NewGroups(budget *Budget, room int64) *Groups {
	return &Groups{budget: budget, room: room, change: make(chan struct{})}
}

// Take returns the group of size partitions that includes this one, after all
// its bytes have arrived. The caller must release it. For a group larger than
// room it returns nil: its partitions are read one by one. An error of a run is
// a *RunError.
func (g *Groups) Take(ctx context.Context, size, partition int, runs []plan.Run, store RunStore) (*Held, error) {
	index := partition / size
	ranges, need := rangesOf(runs, index*size, (index+1)*size)
	if need > g.room || need == 0 {
		return nil, nil
	}
	for {
		o, wait := g.enter(ctx, &group{index: index, size: size, need: need, ranges: ranges}, store)
		if o != nil {
			return g.await(ctx, o, partition)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// rangesOf returns the bytes of the partitions from first to end in each run,
// and how many there are. It leaves out invalid extents: reading them is an
// error later.
func rangesOf(runs []plan.Run, first, end int) (ranges []heldRange, bytes int64) {
	for i := range runs {
		r := heldRange{run: &runs[i], off: -1}
		parts := runs[i].Partitions
		for _, e := range parts[min(first, len(parts)):min(end, len(parts))] {
			if e.Rows > 0 && r.off < 0 {
				r.off = e.Offset
			}
			if e.Rows > 0 {
				r.stop = e.Offset + e.Length
			}
		}
		if r.off >= 0 && r.off < r.stop && r.stop <= runs[i].Size {
			ranges = append(ranges, r)
			bytes += roomFor(r.stop - r.off)
		}
	}
	return ranges, bytes
}

// enter joins the users of the wanted group, or begins to fetch it. When there
// is no room, it returns a channel to wait for.
func (g *Groups) enter(ctx context.Context, wanted *group, store RunStore) (*group, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.groups, func(o *group) bool {
		return o.index == wanted.index && o.size == wanted.size && !o.failed()
	})
	if i < 0 {
		g.evict(g.room - wanted.need)
		if g.used+wanted.need > g.room {
			return nil, g.change
		}
		g.used += wanted.need
		i = len(g.groups)
		g.groups = append(g.groups, wanted)
		g.begin(ctx, wanted, store)
	}
	o := g.groups[i]
	g.groups = append(slices.Delete(g.groups, i, i+1), o)
	o.refs++
	return o, nil
}

// begin starts to fetch a group. Its goroutine ends before ready is closed. A
// user that gives up the group waits for that.
func (g *Groups) begin(ctx context.Context, o *group, store RunStore) {
	o.ready = make(chan struct{})
	o.left = make(map[int]bool)
	for p := o.index * o.size; p < min((o.index+1)*o.size, len(o.ranges[0].run.Partitions)); p++ {
		o.left[p] = true
	}
	o.byRun = make(map[string]*heldRange, len(o.ranges))
	for i := range o.ranges {
		o.byRun[o.ranges[i].run.Key] = &o.ranges[i]
	}
	// A group is not only for the attempt that wants it first.
	ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(o.ready)
		o.err = g.fetch(ctx, o, store)
	}()
}

// failed reports whether fetching the group failed.
func (o *group) failed() bool {
	select {
	case <-o.ready:
		return o.err != nil
	default:
		return false
	}
}

// await waits for the bytes of a group that was entered.
func (g *Groups) await(ctx context.Context, o *group, partition int) (*Held, error) {
	h := &Held{groups: g, group: o, partition: partition}
	var err error
	select {
	case <-o.ready:
		err = o.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		h.Release(false)
		return nil, err
	}
	return h, nil
}

// Bytes returns the memory that the group takes.
func (h *Held) Bytes() int64 {
	if h == nil {
		return 0
	}
	return h.group.need
}

// find returns the bytes of a run that include an extent. It returns nil if the
// group does not have them: the run may have replaced another one since.
func (h *Held) find(run string, e plan.Extent) *heldRange {
	if h == nil {
		return nil
	}
	r := h.group.byRun[run]
	if r == nil || e.Offset < r.off || e.Length > r.stop-e.Offset {
		return nil
	}
	return r
}

// Release releases the group, once. reduced says that the partition is no
// longer needed. The group must not be read after that. Release of a nil Held
// does nothing.
func (h *Held) Release(reduced bool) {
	if h != nil {
		h.released.Do(func() { h.groups.leave(h.group, h.partition, reduced) })
	}
}

// leave removes one user from a group.
func (g *Groups) leave(o *group, partition int, reduced bool) {
	g.mu.Lock()
	o.refs--
	if reduced {
		delete(o.left, partition)
	}
	given := o.refs == 0 && !o.complete()
	if given {
		// It has no users, and must not get new ones.
		o.cancel()
		g.groups = slices.DeleteFunc(g.groups, func(other *group) bool { return other == o })
		g.mu.Unlock()
		<-o.ready
		g.mu.Lock()
		g.drop(o)
	} else if o.refs == 0 && (len(o.left) == 0 || o.err != nil || g.others > 0) {
		g.remove(o)
	}
	g.wake()
	g.mu.Unlock()
}

// complete reports whether the fetch of the group has ended.
func (o *group) complete() bool {
	select {
	case <-o.ready:
		return true
	default:
		return false
	}
}

// evict removes groups without users, the longest unused first, until at most
// most bytes are used.
func (g *Groups) evict(most int64) {
	for i := 0; i < len(g.groups) && g.used > most; {
		if o := g.groups[i]; o.refs == 0 {
			g.remove(o)
			continue
		}
		i++
	}
}

// remove forgets a group without users.
func (g *Groups) remove(o *group) {
	g.groups = slices.DeleteFunc(g.groups, func(other *group) bool { return other == o })
	g.drop(o)
}

// drop releases the memory of a forgotten group.
func (g *Groups) drop(o *group) {
	o.cancel()
	for i := range o.ranges {
		if b := o.ranges[i].data; b != nil && g.others == 0 && g.idle+int64(cap(b)) <= g.room {
			g.spare = append(g.spare, b)
			g.idle += int64(cap(b))
		}
	}
	o.ranges, o.byRun = nil, nil
	g.used -= o.need
	if o.mem != nil {
		o.mem.Release()
	}
}

// wake wakes those that wait for room.
func (g *Groups) wake() {
	close(g.change)
	g.change = make(chan struct{})
}

// Yield releases unused groups now, and continues to until done is called: a
// stage that reads no group waits for the budget.
func (g *Groups) Yield() (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.others++
	g.evict(0)
	g.spare, g.idle = nil, 0
	g.wake()
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.others--
	}
}

// roomFor returns how much room is allocated for n bytes.
func roomFor(n int64) int64 { return n + n/spareRoom }

// buffer returns n bytes of room. It reuses a spare buffer if one fits.
func (g *Groups) buffer(n int64) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, b := range g.spare {
		if c := int64(cap(b)); n <= c && c <= roomFor(roomFor(n)) {
			last := len(g.spare) - 1
			g.spare[i], g.spare[last] = g.spare[last], nil
			g.spare = g.spare[:last]
			g.idle -= c
			return b[:n]
		}
	}
	return make([]byte, n, roomFor(n))
}

// fetch reads all ranges of a group. Each group begins with another run.
// Otherwise all processes would request the same object at the same time.
func (g *Groups) fetch(ctx context.Context, o *group, store RunStore) error {
	var err error
	if o.mem, err = g.budget.Acquire(ctx, o.need); err != nil {
		return err
	}
	o.mem.charge(o.need)
	var todo []request
	for i := range o.ranges {
		r := &o.ranges[(i+o.index*7)%len(o.ranges)]
		r.data = g.buffer(r.stop - r.off)
		for off := r.off; off < r.stop; off += getMost {
			todo = append(todo, request{r, off, min(off+getMost, r.stop)})
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan request)
	var workers sync.WaitGroup
	for range min(getsAtOnce, len(todo)) {
		workers.Go(func() {
			for q := range next {
				if err := q.do(ctx, store); err != nil {
					cancel(&RunError{q.run.Key, o.index * o.size, q.off, err})
				}
			}
		})
	}
	for _, q := range todo {
		if ctx.Err() != nil {
			break
		}
		next <- q
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// request is the part of a range that one request fetches.
type request struct {
	*heldRange
	off, end int64
}

func (q request) do(ctx context.Context, store RunStore) error {
	r, err := store.Open(ctx, q.run.Key, q.run.Size)
	if err != nil {
		return err
	}
	at := q.heldRange.off
	err = r.ReadAt(ctx, q.data[q.off-at:q.end-at], q.off)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return err
}
