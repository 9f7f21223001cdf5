package arrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// setter stores the value of a row, which is not null.
type setter = func(v *values, i int, p unsafe.Pointer) error

// setter returns what stores values of f in an n. Its error is advice.
func (m *matcher) setter(n *node, f *field) (setter, error) {
	t, d, budget := n.typ, &f.dataType, m.budget
	none := errors.New("")
	isBytes := slices.Contains([]int{typeBinary, typeText, typeLargeBinary, typeLargeText, typeBinaryView, typeTextView}, d.kind)
	switch t {
	case timeType:
		return timeSetter(d)
	case durationType:
		return durationSetter(n, d)
	case bytesType:
		if !isBytes && d.kind != typeFixedSizeBinary {
			return nil, none
		}
		return func(v *values, i int, p unsafe.Pointer) error {
			raw, err := v.bytes(i)
			if err == nil {
				err = budget.charge(int64(len(raw)))
			}
			if err == nil {
				*(*[]byte)(p) = append(make([]byte, 0, len(raw)), raw...)
			}
			return err
		}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		if d.kind == typeBool {
			return func(v *values, i int, p unsafe.Pointer) error { *(*bool)(p) = bit(v.data, i); return nil }, nil
		}
	case reflect.String:
		switch {
		case d.kind == typeDecimal:
			return func(v *values, i int, p unsafe.Pointer) error { *(*string)(p) = decimalOf(v, i); return nil }, nil
		case isBytes:
			return func(v *values, i int, p unsafe.Pointer) (err error) {
				*(*string)(p), err = v.text(i, budget)
				return err
			}, nil
		case d.kind == typeFixedSizeBinary:
			return nil, errors.New("[]byte holds it")
		}
	case reflect.Array:
		if d.kind == typeFixedSizeBinary && d.width == t.Len() {
			return func(v *values, i int, p unsafe.Pointer) error {
				copy(unsafe.Slice((*byte)(p), d.width), v.data[d.width*i:])
				return nil
			}, nil
		}
	case reflect.Float32, reflect.Float64:
		return floatSetter(d, t.Bits() == 32)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integerSetter(n, d)
	}
	return nil, none
}

// unitsOf returns how many of a unit are a second.
func unitsOf(unit int) int64 { return [...]int64{1, 1e3, 1e6, 1e9}[unit] }

// farthest is the last second, and the first one below zero, of which a time is made.
const farthest = 1 << 60

func timeSetter(d *dataType) (setter, error) {
	per := int64(0)
	switch d.kind {
	case typeTimestamp:
		per = unitsOf(d.unit)
	case typeDate:
		if d.bits == 32 {
			return func(v *values, i int, p unsafe.Pointer) error {
				*(*time.Time)(p) = time.Unix(int64(int32At(v.data[4*i:]))*86400, 0).UTC()
				return nil
			}, nil
		}
		per = 1000
	case typeTime:
		return nil, errors.New("time.Duration holds it")
	default:
		return nil, errors.New("")
	}
	return func(v *values, i int, p unsafe.Pointer) error {
		n := int64At(v.data[8*i:])
		seconds, rest := n/per, n%per
		if seconds < -farthest || seconds > farthest {
			return fmt.Errorf("the time of %d seconds is outside of those that a time.Time can have", seconds)
		}
		*(*time.Time)(p) = time.Unix(seconds, rest*(1e9/per)).UTC()
		return nil
	}, nil
}

func durationSetter(n *node, d *dataType) (setter, error) {
	switch d.kind {
	case typeDuration, typeTime:
	case typeInt:
		if n.tag.kind == 0 && d.signed && d.bits == 64 {
			return func(v *values, i int, p unsafe.Pointer) error { *(*int64)(p) = int64At(v.data[8*i:]); return nil }, nil
		}
		return nil, errors.New("an integer type holds it")
	default:
		return nil, errors.New("")
	}
	of := dataType{kind: typeInt, bits: d.bits, signed: true}
	each := 1e9 / unitsOf(d.unit)
	return func(v *values, i int, p unsafe.Pointer) error {
		n := integerAt(&of, v.data, i)
		if n > math.MaxInt64/each || n < math.MinInt64/each {
			return fmt.Errorf("%d %s are more than a time.Duration can have", n, unitNames[d.unit])
		}
		*(*int64)(p) = n * each
		return nil
	}, nil
}

func floatSetter(d *dataType, single bool) (setter, error) {
	float32At := func(v *values, i int) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(v.data[4*i:])) }
	if d.kind == typeFloat && d.bits == 16 {
		float32At = func(v *values, i int) float32 { return halfOf(binary.LittleEndian.Uint16(v.data[2*i:])) }
	}
	switch {
	case d.kind == typeFloat && single && d.bits < 64:
		return func(v *values, i int, p unsafe.Pointer) error { *(*float32)(p) = float32At(v, i); return nil }, nil
	case d.kind == typeFloat && d.bits == 64 && !single:
		return func(v *values, i int, p unsafe.Pointer) error {
			*(*uint64)(p) = uint64(int64At(v.data[8*i:]))
			return nil
		}, nil
	case d.kind == typeFloat && !single:
		return func(v *values, i int, p unsafe.Pointer) error { *(*float64)(p) = float64(float32At(v, i)); return nil }, nil
	case d.kind == typeFloat, d.kind == typeDecimal && single:
		return nil, errors.New("float64 holds it")
	case d.kind == typeDecimal:
		return func(v *values, i int, p unsafe.Pointer) (err error) {
			*(*float64)(p), err = strconv.ParseFloat(decimalOf(v, i), 64)
			return err
		}, nil
	}
	return nil, errors.New("")
}

// halfOf returns a number of 16 bits.
func halfOf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case exponent == 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case exponent > 0:
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	}
	f := float32(fraction) / (1 << 24)
	if sign != 0 {
		f = -f
	}
	return f
}

// unscaled returns a decimal without its point.
func unscaled(v *values, i int) *big.Int {
	w := v.f.bytes()
	raw := slices.Clone(v.data[w*i : w*i+w])
	slices.Reverse(raw)
	n := new(big.Int).SetBytes(raw)
	if raw[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	return n
}

// decimalOf returns the text of a decimal, with all places of its scale.
func decimalOf(v *values, i int) string {
	n, scale := unscaled(v, i), v.f.scale
	digits := new(big.Int).Abs(n).String()
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	switch {
	case scale < 0 && n.Sign() != 0:
		return sign + digits + strings.Repeat("0", -scale)
	case scale <= 0:
		return sign + digits
	case len(digits) <= scale:
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// integerSetter returns the setter of a whole number.
func integerSetter(n *node, d *dataType) (setter, error) {
	t := n.typ
	unsigned := t.Kind() >= reflect.Uint
	bits, signed := d.bits, true
	switch d.kind {
	case typeInt:
		signed = d.signed
		if n.tag.kind != 0 {
			return nil, errors.New("the tag is of another type: leave it out")
		}
	case typeDecimal:
		if n.tag.kind != typeDecimal || n.tag.scale != d.scale {
			return nil, fmt.Errorf("string and float64 hold it, and an int64 with the tag decimal(%d:%d) if it has at most 18 digits", d.scale, min(max(d.precision, 1), 18))
		}
		return decimalInteger(t), nil
	case typeDate:
		if n.tag.kind != typeDate || d.bits != 32 {
			return nil, errors.New("time.Time holds it, and date32 an int32 with the tag date, as days since 1970")
		}
	case typeTimestamp:
		if n.tag.kind != typeTimestamp || n.tag.unit != d.unit {
			return nil, errors.New("time.Time holds it, and an int64 with the tag timestamp and its unit")
		}
	case typeTime, typeDuration:
		return nil, errors.New("time.Duration holds it")
	default:
		return nil, errors.New("")
	}
	switch {
	case signed && unsigned:
		return nil, fmt.Errorf("int%d holds it", bits)
	case !signed && !unsigned && t.Bits() <= bits:
		return nil, fmt.Errorf("uint%d holds it", bits)
	case t.Bits() < bits:
		return nil, fmt.Errorf("a type of %d bits holds it", bits)
	}
	of := &dataType{kind: typeInt, bits: bits, signed: signed}
	switch t.Size() {
	case 8:
		if bits == 64 {
			return func(v *values, i int, p unsafe.Pointer) error { *(*int64)(p) = int64At(v.data[8*i:]); return nil }, nil
		}
		return func(v *values, i int, p unsafe.Pointer) error { *(*int64)(p) = integerAt(of, v.data, i); return nil }, nil
	case 4:
		return func(v *values, i int, p unsafe.Pointer) error {
			*(*int32)(p) = int32(integerAt(of, v.data, i))
			return nil
		}, nil
	case 2:
		return func(v *values, i int, p unsafe.Pointer) error {
			*(*int16)(p) = int16(integerAt(of, v.data, i))
			return nil
		}, nil
	}
	return func(v *values, i int, p unsafe.Pointer) error {
		*(*int8)(p) = int8(integerAt(of, v.data, i))
		return nil
	}, nil
}

// decimalInteger returns the setter of a decimal that is stored without its point.
func decimalInteger(t reflect.Type) setter {
	return func(v *values, i int, p unsafe.Pointer) error {
		n := unscaled(v, i)
		if !n.IsInt64() || t.Size() == 4 && n.Int64() != int64(int32(n.Int64())) {
			return fmt.Errorf("the decimal %s does not fit into a Go %v", decimalOf(v, i), t)
		}
		if t.Size() == 4 {
			*(*int32)(p) = int32(n.Int64())
		} else {
			*(*int64)(p) = n.Int64()
		}
		return nil
	}
}
