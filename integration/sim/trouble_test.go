package sim

import (
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

const (
	troubleTime = 90 * time.Second
	repairTime  = 5 * time.Minute
	keepTime    = 20 * time.Second // for which a collection keeps objects
)

// torment makes trouble for a while, and then repairs everything.
func (w *world) torment() {
	heal := time.Now().Add(troubleTime)
	for time.Now().Before(heal) {
		time.Sleep(time.Duration(w.r.Int64N(int64(10 * time.Second))))
		if w.r.IntN(4) == 0 {
			w.must(w.meddle())
		}
		if w.r.Float64() > w.trouble {
			continue
		}
		w.strike()
	}
	w.network.mu.Lock()
	w.trouble = 0
	w.network.mu.Unlock()
	time.Sleep(30 * time.Second) // for processes that are stopped or cut off
	w.outage.Store(false)
	if len(w.alive("master")) == 0 {
		w.must(w.startMaster())
	}
	if len(w.alive("worker")) == 0 {
		w.must(w.startWorker())
	}
}

// meddle does something that users do.
func (w *world) meddle() error {
	j := w.wanted[w.r.IntN(len(w.wanted))]
	switch w.r.IntN(9) {
	case 0:
		w.cancel(j)
	case 1, 2, 3:
		w.retry(j)
	case 4:
		w.ask("POST", "/gc", nil, nil)
	case 5:
		if all := w.alive("worker"); len(all) > 1 {
			w.ask("POST", "/drain/"+all[0].name, nil, nil)
		}
	default:
		if len(w.wanted) < 3 {
			return w.submit()
		}
	}
	return nil
}

// strike does something bad, or starts a process.
func (w *world) strike() {
	if len(w.alive("master")) < 2 && w.r.IntN(2) == 0 {
		w.must(w.startMaster())
		return
	}
	if len(w.alive("worker")) < 4 && w.r.IntN(2) == 0 {
		w.must(w.startWorker())
		return
	}
	alive := w.alive("")
	if len(alive) == 0 {
		return
	}
	p := alive[w.r.IntN(len(alive))]
	d := time.Duration(w.r.Int64N(int64(30 * time.Second)))
	n := w.r.IntN(11)
	w.log.Info("STRIKE", "kind", n, "at", p.name, "for", d)
	switch n {
	case 0, 1:
		p.kill(errKilled)
	case 2, 3:
		p.freeze(d)
	case 4:
		p.cut(theStore, d)
	case 5, 6:
		p.cut(alive[w.r.IntN(len(alive))].name, d)
	case 7:
		p.ahead.Add(int64(d) * int64(w.r.IntN(20)))
	case 8:
		w.must(w.spoil())
	case 9:
		if p.quit != nil {
			p.quit()
		}
	default:
		if w.outage.CompareAndSwap(false, true) {
			time.AfterFunc(2*d, func() { w.outage.Store(false) })
		}
	}
}

// spoil removes or damages a sorted run of a job, so that a reduce cannot read
// it.
func (w *world) spoil() error {
	j := w.wanted[w.r.IntN(len(w.wanted))]
	w.mu.Lock()
	id := j.id
	w.mu.Unlock()
	if id == "" {
		return nil
	}
	var runs []string
	prefix := plan.ScratchPrefix(id)
	for o, err := range w.truth.List(w.me.ctx, prefix) {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(o.Key, prefix+"att/") && o.Size > 0 {
			runs = append(runs, o.Key)
		}
	}
	if len(runs) == 0 {
		return nil
	}
	key := runs[w.r.IntN(len(runs))]
	w.log.Info("SPOIL", "object", key)
	if w.r.IntN(2) == 0 {
		return w.truth.Delete(w.me.ctx, key)
	}
	return w.truth.Put(w.me.ctx, key, []byte("not what was written here"), store.Durable)
}
