package shuffle

import (
	"bytes"
	"context"

	"github.com/windrow-mr/windrow/plan"
)

// merger merges inputs, one partition after the other, with a tree of losers:
// the next pair costs one comparison per level. Pairs of equal keys are in the
// order of their values, if byValue is set, then of their inputs.
//
// Node i > 0 has the children 2i and 2i+1; the leaves k to 2k-1 are the inputs.
// A node holds the loser of the game between the winners of its children. The
// overall winner is kept apart. See Knuth, The Art of Computer Programming 3,
// section 5.4.1.
type merger struct {
	inputs  []*input
	byValue bool

	losers []player
	winner player
	used   bool // the winner's pair was returned
}

// player represents an input in the tree, with the prefix that decides most
// games.
type player struct {
	prefix uint64
	index  int
}

// start advances to a partition; extents has one extent for each input.
func (m *merger) start(ctx context.Context, part int, extents []plan.Extent) error {
	for i, in := range m.inputs {
		if err := in.seek(ctx, part, extents[i]); err != nil {
			return err
		}
	}
	k := len(m.inputs)
	m.used = false
	if k == 0 {
		return nil
	}
	if m.losers == nil {
		m.losers = make([]player, k)
	}
	m.winner = m.play(1)
	return nil
}

// play returns the winner of the games below node i and fills in the losers.
func (m *merger) play(i int) player {
	if k := len(m.inputs); i >= k {
		return m.enter(i - k)
	}
	a, b := m.play(2*i), m.play(2*i+1)
	if m.less(b, a) {
		a, b = b, a
	}
	m.losers[i] = b
	return a
}

// enter returns input i as a player.
func (m *merger) enter(i int) player {
	in := m.inputs[i]
	if in.done {
		return player{^uint64(0), i}
	}
	return player{in.prefix, i}
}

// next returns the next pair of the partition. ok is false at its end. The
// slices are valid until the next call.
func (m *merger) next(ctx context.Context) (key, value []byte, ok bool, err error) {
	if len(m.inputs) == 0 {
		return nil, nil, false, nil
	}
	if m.used {
		if err := m.replay(ctx); err != nil {
			return nil, nil, false, err
		}
	}
	in := m.inputs[m.winner.index]
	if in.done {
		return nil, nil, false, nil
	}
	m.used = true
	return in.key, in.value, true, nil
}

// replay advances the winner and plays its games again.
func (m *merger) replay(ctx context.Context) error {
	in := m.inputs[m.winner.index]
	in.row++
	if in.row < in.end {
		in.set()
	} else if err := in.turn(ctx); err != nil {
		return err
	}
	w := player{in.prefix, m.winner.index}
	for i := (w.index + len(m.inputs)) / 2; i > 0; i /= 2 {
		l := m.losers[i]
		if l.prefix < w.prefix || l.prefix == w.prefix && m.tie(l.index, w.index) {
			m.losers[i], w = w, l
		}
	}
	m.winner = w
	return nil
}

// less reports whether a comes before b.
func (m *merger) less(a, b player) bool {
	return a.prefix < b.prefix || a.prefix == b.prefix && m.tie(a.index, b.index)
}

// tie reports whether input a comes before input b, with equal prefixes.
func (m *merger) tie(a, b int) bool {
	x, y := m.inputs[a], m.inputs[b]
	if x.done || y.done {
		return !x.done
	}
	c := bytes.Compare(x.key, y.key)
	if c == 0 && m.byValue {
		c = bytes.Compare(x.value, y.value)
	}
	return c < 0 || c == 0 && a < b
}

// close closes the inputs and returns the first error.
func (m *merger) close() error {
	var first error
	for _, in := range m.inputs {
		if err := in.close(); err != nil && first == nil {
			first = err
		}
	}
	m.inputs = nil
	return first
}
