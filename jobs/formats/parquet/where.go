package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"
)

// A Value is what columns are compared with.
type Value interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64 | ~string | time.Time
}

// A Condition says which records are read: those with certain columns in certain ranges.
// The zero Condition holds for all.
type Condition struct{ ranges []bounds }

// bounds are the least and the greatest value of a column, each a *big.Rat, a string or a
// time.Time; nil for none.
type bounds struct {
	column   string
	from, to any
	err      error
}

// Between is the condition that a column is at least from, and at most to. The name of a
// column within groups has dots: "address.zip". The column needs no field in the record's
// type. Null and NaN are in no range.
func Between[V Value](column string, from, to V) Condition {
	return one(column, &from, &to)
}

// AtLeast is the condition that a column is at least from.
func AtLeast[V Value](column string, from V) Condition { return one(column, &from, nil) }

// AtMost is the condition that a column is at most to.
func AtMost[V Value](column string, to V) Condition { return one(column, nil, &to) }

// And is the condition that both hold.
func (c Condition) And(other Condition) Condition {
	return Condition{append(append([]bounds(nil), c.ranges...), other.ranges...)}
}

func one[V Value](column string, from, to *V) Condition {
	b := bounds{column: column}
	for _, side := range []struct {
		v  *V
		to *any
	}{{from, &b.from}, {to, &b.to}} {
		if side.v != nil {
			var err error
			if *side.to, err = boundOf(*side.v); err != nil {
				b.err = fmt.Errorf("the range of column %q: %w", column, err)
			}
		}
	}
	return Condition{[]bounds{b}}
}

// boundOf returns a bound in one of the types that stand for all.
func boundOf(v any) (any, error) {
	if t, ok := v.(time.Time); ok {
		return t, nil
	}
	switch v := reflect.ValueOf(v); {
	case v.CanInt():
		return new(big.Rat).SetInt64(v.Int()), nil
	case v.CanUint():
		return new(big.Rat).SetUint64(v.Uint()), nil
	case v.CanFloat():
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is no bound: leave it out by AtLeast or AtMost", f)
		}
		return new(big.Rat).SetFloat64(f), nil
	default:
		return v.String(), nil
	}
}

// String returns the condition as text, which is part of the text of pipelines.
func (c Condition) String() string {
	var all []string
	for _, b := range c.ranges {
		text := fmt.Sprintf("%q", b.column)
		if b.from != nil {
			text = shownBound(b.from) + " <= " + text
		}
		if b.to != nil {
			text += " <= " + shownBound(b.to)
		}
		all = append(all, text)
	}
	return strings.Join(all, " and ")
}

// MarshalText returns the condition as String does.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func shownBound(v any) string {
	switch v := v.(type) {
	case *big.Rat:
		return v.RatString()
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%q", v)
}

func (c Condition) check() error {
	var errs []error
	for _, b := range c.ranges {
		errs = append(errs, b.err)
	}
	return errors.Join(errs...)
}

// filter is a condition on one column of an object.
type filter struct {
	c     *column
	holds func(raw []byte) bool
	// outside reports whether no value from low to high can be in the range.
	outside func(low, high []byte) bool
}

// filters binds the condition to the columns of an object.
func (c Condition) filters(m *matcher, f *footer) ([]filter, error) {
	var all []filter
	for _, b := range c.ranges {
		var e *element
		for _, leaf := range f.leaves {
			if leaf.path() == b.column {
				e = leaf
			}
		}
		if e == nil {
			return nil, fmt.Errorf("%s has no column %q, for which Where has a range: the columns are %s", m.object, b.column, shown(f.leaves))
		}
		if e.maxRep > 0 {
			return nil, fmt.Errorf("column %q of %s is in a list: Where compares columns that have one value a record", b.column, m.object)
		}
		bound := filter{c: m.column(e)}
		if !bound.bind(e, &b) {
			return nil, fmt.Errorf("column %q of %s is a %v, which Where cannot compare with %v", b.column, m.object, e, Condition{[]bounds{b}})
		}
		all = append(all, bound)
	}
	return all, nil
}

// bind sets the functions of a filter. It reports whether values of e can be compared
// with the bounds.
func (f *filter) bind(e *element, b *bounds) bool {
	if e.typ == typeBytes && e.logical.kind != logicalDecimal {
		from, ok := text(b.from)
		to, also := text(b.to)
		less := func(raw []byte) bool { return b.from != nil && bytes.Compare(raw, from) < 0 }
		more := func(raw []byte) bool { return b.to != nil && bytes.Compare(raw, to) > 0 }
		f.holds = func(raw []byte) bool { return !less(raw) && !more(raw) }
		f.outside = func(low, high []byte) bool { return less(high) || more(low) }
		return ok && also
	}
	if of := floatOf(e); of != nil {
		from, ok := float(b.from, -1)
		to, also := float(b.to, 1)
		f.holds = func(raw []byte) bool { v := of(raw); return from <= v && v <= to }
		f.outside = func(low, high []byte) bool {
			return len(low) == e.width() && len(high) == e.width() && (of(high) < from || of(low) > to)
		}
		return ok && also
	}
	of, scale := exactOf(e)
	if of == nil {
		return false
	}
	from, ok := exact(b.from, scale, false)
	to, also := exact(b.to, scale, true)
	less := func(v *big.Int) bool { return from != nil && v.Cmp(from) < 0 }
	more := func(v *big.Int) bool { return to != nil && v.Cmp(to) > 0 }
	f.holds = func(raw []byte) bool { v := of(raw); return !less(v) && !more(v) }
	if low, high, fits := small(e, from, to); fits {
		f.holds = func(raw []byte) bool {
			var v int64
			if len(raw) == 4 {
				v = int64(int32At(raw))
			} else {
				v = int64At(raw)
			}
			return low <= v && v <= high
		}
	}
	f.outside = func(low, high []byte) bool {
		if w := e.width(); w > 0 && (len(low) != w || len(high) != w) || len(low)+len(high) > longestDecimal {
			return false
		}
		return less(of(high)) || more(of(low))
	}
	return ok && also
}

// small returns bounds as plain numbers, for columns that are compared as such.
func small(e *element, from, to *big.Int) (low, high int64, ok bool) {
	if e.typ != typeInt32 && e.typ != typeInt64 || e.logical.kind == logicalInt && !e.logical.signed {
		return 0, 0, false
	}
	low, high = math.MinInt64, math.MaxInt64
	if from != nil {
		if !from.IsInt64() {
			return 0, 0, false
		}
		low = from.Int64()
	}
	if to != nil {
		if !to.IsInt64() {
			return 0, 0, false
		}
		high = to.Int64()
	}
	return low, high, true
}

func text(v any) ([]byte, bool) {
	s, ok := v.(string)
	return []byte(s), ok || v == nil
}

// float returns a bound as a float64: the nearest that excludes nothing the bound
// includes, and includes nothing it excludes.
func float(v any, side int) (float64, bool) {
	if v == nil {
		return math.Inf(side), true
	}
	r, ok := v.(*big.Rat)
	if !ok {
		return 0, false
	}
	f, _ := r.Float64()
	if math.IsInf(f, 0) {
		return f, true
	}
	switch c := new(big.Rat).SetFloat64(f).Cmp(r); {
	case side < 0 && c < 0: // the least float64 that is at least r
		f = math.Nextafter(f, math.Inf(1))
	case side > 0 && c > 0:
		f = math.Nextafter(f, math.Inf(-1))
	}
	return f, true
}

// exactOf returns values of a column as whole numbers: how many units there are in a one,
// as a power of ten or of time, is the scale.
func exactOf(e *element) (of func(raw []byte) *big.Int, scale any) {
	l := &e.logical
	isInt := e.typ == typeInt32 || e.typ == typeInt64
	switch {
	case l.kind == logicalDecimal:
		return func(raw []byte) *big.Int {
			if len(raw) > longestDecimal {
				raw = raw[:longestDecimal]
			}
			return unscaled(e, raw)
		}, l.scale
	case isInt && l.kind == logicalInt && !l.signed:
		return func(raw []byte) *big.Int {
			if len(raw) == 4 {
				return big.NewInt(int64(uint32(int32At(raw))))
			}
			return new(big.Int).SetUint64(uint64(int64At(raw)))
		}, 0
	case isInt && (l.kind == logicalInt || l.kind == 0):
		return func(raw []byte) *big.Int { return unscaled(e, raw) }, 0
	case e.typ == typeInt32 && l.kind == logicalDate:
		return func(raw []byte) *big.Int { return unscaled(e, raw) }, 24 * time.Hour
	case e.typ == typeInt64 && l.kind == logicalTimestamp:
		return func(raw []byte) *big.Int { return unscaled(e, raw) }, durationOf(l.unit)
	}
	return nil, 0
}

// exact returns a bound as a whole number of units, rounded into the range.
func exact(v, scale any, down bool) (*big.Int, bool) {
	var r *big.Rat
	switch v := v.(type) {
	case nil:
		return nil, true
	case *big.Rat:
		digits, ok := scale.(int)
		if !ok {
			return nil, false
		}
		r = new(big.Rat).SetFrac(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil), big.NewInt(1))
		r.Mul(r, v)
	case time.Time:
		unit, ok := scale.(time.Duration)
		if !ok {
			return nil, false
		}
		nanos := new(big.Int).Mul(big.NewInt(v.Unix()), big.NewInt(1e9))
		r = new(big.Rat).SetFrac(nanos.Add(nanos, big.NewInt(int64(v.Nanosecond()))), big.NewInt(int64(unit)))
	default:
		return nil, false
	}
	// Div rounds down for a divisor that is not negative.
	whole := new(big.Int).Div(r.Num(), r.Denom())
	if !down && !r.IsInt() {
		whole.Add(whole, big.NewInt(1))
	}
	return whole, true
}
