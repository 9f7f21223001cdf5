package shuffle

import (
	"bytes"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// folding folds adjacent pairs of equal keys and passes on the results. A pair
// whose key occurs once passes unchanged.
type folding struct {
	combiner pairs.Combiner
	emit     func(key, value []byte) error

	key, value []byte // the first pair of the current key
	folded     []byte
	n          int // pairs of the current key
}

func (f *folding) add(key, value []byte) error {
	if f.n > 0 && bytes.Equal(key, f.key) {
		if f.n == 1 {
			f.combiner.Reset()
			if err := f.combiner.Add(f.value); err != nil {
				return err
			}
		}
		f.n++
		return f.combiner.Add(value)
	}
	if err := f.flush(); err != nil {
		return err
	}
	f.key = append(f.key[:0], key...)
	f.value = append(f.value[:0], value...)
	f.n = 1
	return nil
}

// flush passes on the current key. It must be called at the end of a partition.
func (f *folding) flush() error {
	n := f.n
	f.n = 0
	switch n {
	case 0:
		return nil
	case 1:
		return f.emit(f.key, f.value)
	}
	var err error
	if f.folded, err = f.combiner.AppendTo(f.folded[:0]); err != nil {
		return err
	}
	return f.emit(f.key, f.folded)
}
