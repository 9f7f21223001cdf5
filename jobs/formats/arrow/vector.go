package arrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"unicode/utf8"
)

// values are a column of a batch, or a part of one. Their buffers are inside of the
// batch, and long enough for their rows.
type values struct {
	f       *field
	indexed bool // they are places in a dictionary
	rows    int
	nulls   int64

	valid   []byte // a bit a row; nil if there are no nulls
	data    []byte
	offsets []byte
	sizes   []byte   // of a list view
	more    [][]byte // of a view
	below   []*values

	dictionary *dictionary
	run        int // the last one that was looked at

	owner  *dictionary // of values of a dictionary
	texts  []string    // of these, once they were needed
	budget *budget
}

// dictionary has the values of a dictionary: one chunk, and those that were added.
type dictionary struct {
	chunks []*values
	ends   []int // where each chunk ends
	held   int64 // bytes
}

func bit(b []byte, i int) bool { return b[i>>3]>>(i&7)&1 != 0 }

// width returns how many bytes an offset has.
func (d *dataType) wide() int {
	switch d.kind {
	case typeLargeBinary, typeLargeText, typeLargeList, typeLargeListView:
		return 8
	}
	return 4
}

// offsetAt returns a number of 4 or 8 bytes.
func offsetAt(b []byte, wide, i int) int64 {
	if wide == 8 {
		return int64At(b[8*i:])
	}
	return int64(int32At(b[4*i:]))
}

var errShort = errors.New("a buffer is too short for its rows: the object is damaged")

// enough reports whether b has rows of some bytes.
func enough(b []byte, rows, width int) bool { return width == 0 || len(b)/width >= rows }

// check verifies that the buffers have what the rows need.
func (v *values) check() error {
	if v.nulls < 0 || v.nulls > int64(v.rows) {
		return fmt.Errorf("%d of its %d rows are null: the object is damaged", v.nulls, v.rows)
	}
	switch {
	case v.f.kind == typeNull && !v.indexed:
		return nil
	case v.nulls == 0:
		v.valid = nil
	case len(v.valid) < v.rows/8+min(v.rows%8, 1):
		return errShort
	}
	if v.rows == 0 {
		return nil
	}
	if v.indexed {
		if !enough(v.data, v.rows, v.f.indices.bytes()) {
			return errShort
		}
		return nil
	}
	switch v.f.kind {
	case typeBool:
		if len(v.data) < v.rows/8+min(v.rows%8, 1) {
			return errShort
		}
	case typeBinary, typeText, typeLargeBinary, typeLargeText:
		return v.checkOffsets(int64(len(v.data)))
	case typeBinaryView, typeTextView:
		if !enough(v.data, v.rows, 16) {
			return errShort
		}
	case typeList, typeLargeList, typeMap:
		return v.checkOffsets(int64(v.below[0].rows))
	case typeListView, typeLargeListView:
		if w := v.f.wide(); !enough(v.offsets, v.rows, w) || !enough(v.sizes, v.rows, w) {
			return errShort
		}
	case typeFixedSizeList:
		if w := v.f.width; w > 0 && v.below[0].rows/w < v.rows {
			return fmt.Errorf("its %d lists of %d have %d elements: the object is damaged", v.rows, w, v.below[0].rows)
		}
	case typeStruct:
		for _, b := range v.below {
			if b != nil && b.rows < v.rows {
				return fmt.Errorf("its part %.100q has %d rows, and not %d: the object is damaged", b.f.name, b.rows, v.rows)
			}
		}
	case typeRunEnd:
		return v.checkRuns()
	default:
		if !enough(v.data, v.rows, v.f.bytes()) {
			return errShort
		}
	}
	return nil
}

// checkOffsets verifies that the offsets ascend, and end at most at limit.
func (v *values) checkOffsets(limit int64) error {
	w := v.f.wide()
	if len(v.offsets)/w <= v.rows {
		return errShort
	}
	last := offsetAt(v.offsets, w, 0)
	ok := last >= 0
	for i := 1; i <= v.rows; i++ {
		o := offsetAt(v.offsets, w, i)
		ok = ok && o >= last
		last = o
	}
	if !ok || last > limit {
		return fmt.Errorf("its offsets do not ascend up to %d: the object is damaged", limit)
	}
	return nil
}

// checkRuns verifies that the ends of runs ascend, and that there is a value for each.
func (v *values) checkRuns() error {
	ends, last := v.below[0], int64(0)
	if ends.nulls != 0 || ends.rows == 0 || v.below[1].rows < ends.rows {
		return errors.New("its runs have no ends or no values: the object is damaged")
	}
	for i := range ends.rows {
		end := integerAt(&ends.f.dataType, ends.data, i)
		if end <= last {
			return errors.New("the ends of its runs do not ascend: the object is damaged")
		}
		last = end
	}
	if last < int64(v.rows) {
		return fmt.Errorf("its runs end after %d of %d rows: the object is damaged", last, v.rows)
	}
	return nil
}

// integerAt returns a whole number. Those of 64 bits without a sign keep their bits.
func integerAt(d *dataType, b []byte, i int) int64 {
	switch d.bits {
	case 8:
		if d.signed {
			return int64(int8(b[i]))
		}
		return int64(b[i])
	case 16:
		n := binary.LittleEndian.Uint16(b[2*i:])
		if d.signed {
			return int64(int16(n))
		}
		return int64(n)
	case 32:
		n := binary.LittleEndian.Uint32(b[4*i:])
		if d.signed {
			return int64(int32(n))
		}
		return int64(n)
	}
	return int64At(b[8*i:])
}

// at follows dictionaries and runs to the value of a row.
func (v *values) at(i int) (of *values, row int, null bool, err error) {
	for {
		switch {
		case v.valid != nil && !bit(v.valid, i):
			return v, i, true, nil
		case v.indexed:
			d := v.dictionary
			place := integerAt(v.f.indices, v.data, i)
			if d == nil || len(d.ends) == 0 || place < 0 || place >= int64(d.ends[len(d.ends)-1]) {
				return v, i, false, fmt.Errorf("the value %d is outside of its dictionary: the object is damaged", uint64(place))
			}
			k := 0
			if len(d.ends) > 1 {
				k = sort.SearchInts(d.ends, int(place)+1)
			}
			v, i = d.chunks[k], int(place)-d.ends[k]+d.chunks[k].rows
		case v.f.kind == typeRunEnd:
			i = v.runOf(i)
			v = v.below[1]
		default:
			return v, i, v.f.kind == typeNull, nil
		}
	}
}

// runOf returns the run that has a row.
func (v *values) runOf(row int) int {
	ends := v.below[0]
	end := func(run int) int64 { return integerAt(&ends.f.dataType, ends.data, run) }
	if end(v.run) <= int64(row) || v.run > 0 && end(v.run-1) > int64(row) {
		v.run = sort.Search(ends.rows, func(run int) bool { return end(run) > int64(row) })
	}
	return v.run
}

// bytes returns the bytes of a row.
func (v *values) bytes(i int) ([]byte, error) {
	switch v.f.kind {
	case typeBinary, typeText, typeLargeBinary, typeLargeText:
		w := v.f.wide()
		return v.data[offsetAt(v.offsets, w, i):offsetAt(v.offsets, w, i+1)], nil
	case typeBinaryView, typeTextView:
		view := v.data[16*i : 16*i+16]
		n := int64(int32At(view))
		if n >= 0 && n <= 12 {
			return view[4 : 4+n], nil
		}
		k, from := int64(int32At(view[8:])), int64(int32At(view[12:]))
		if n < 0 || k < 0 || k >= int64(len(v.more)) || from < 0 || from+n > int64(len(v.more[k])) {
			return nil, errors.New("a view leads outside of its buffers: the object is damaged")
		}
		return v.more[k][from : from+n], nil
	}
	w := v.f.bytes()
	return v.data[w*i : w*i+w], nil
}

// text returns a row as a string. Those of a dictionary are made once.
func (v *values) text(i int, b *budget) (string, error) {
	if v.owner != nil && v.texts == nil {
		if err := v.cache(); err != nil {
			return "", err
		}
	}
	if v.owner != nil && v.texts[i] != "" {
		return v.texts[i], nil
	}
	raw, err := v.bytes(i)
	switch {
	case err != nil:
		return "", err
	case !utf8.Valid(raw) && (v.f.kind == typeText || v.f.kind == typeLargeText || v.f.kind == typeTextView):
		return "", errors.New("the text is not UTF-8: a []byte holds it")
	case v.owner != nil:
		v.texts[i] = string(raw)
		return v.texts[i], nil
	}
	return string(raw), b.charge(int64(len(raw)))
}

// cache makes room for the texts of a dictionary.
func (v *values) cache() error {
	n := 16 * int64(v.rows)
	for i := range v.rows {
		raw, err := v.bytes(i)
		if err != nil {
			return err
		}
		n += int64(len(raw))
		if err := v.budget.fits(n); err != nil {
			return err
		}
	}
	v.owner.held += n
	v.budget.held += n
	v.texts = make([]string, v.rows)
	return nil
}

// span returns which elements a list has.
func (v *values) span(i int) (from, n int, err error) {
	switch v.f.kind {
	case typeFixedSizeList:
		return i * v.f.width, v.f.width, nil
	case typeListView, typeLargeListView:
		w, all := v.f.wide(), int64(v.below[0].rows)
		at, n := offsetAt(v.offsets, w, i), offsetAt(v.sizes, w, i)
		if at < 0 || n < 0 || at > all || n > all-at {
			return 0, 0, errors.New("a view leads outside of its elements: the object is damaged")
		}
		return int(at), int(n), nil
	}
	w := v.f.wide()
	at := offsetAt(v.offsets, w, i)
	return int(at), int(offsetAt(v.offsets, w, i+1) - at), nil
}
