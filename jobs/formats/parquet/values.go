package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"time"
	"unsafe"
)

// setter stores the current value of a column, which is not null.
type setter = func(p unsafe.Pointer, c *column) error

func int32At(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }
func int64At(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }

// integer returns the value of a column of whole numbers.
func integer(c *column) int64 {
	if c.width == 4 {
		return int64(int32At(c.raw))
	}
	return int64At(c.raw)
}

// setterOf returns what stores values of e in an n. Its error is advice.
func setterOf(n *node, e *element) (setter, error) {
	t, l := n.typ, &e.logical
	none := errors.New("")
	switch {
	case e.typ == typeNone:
		return nil, none
	case t == timeType:
		if set := timeSetter(e); set != nil {
			return set, nil
		}
		return nil, none
	case t == durationType && l.kind == logicalTime:
		unit := durationOf(l.unit)
		return func(p unsafe.Pointer, c *column) error {
			*(*time.Duration)(p) = time.Duration(integer(c)) * unit
			return nil
		}, nil
	case t == bytesType:
		if e.typ == typeBytes || e.typ == typeFixed {
			return func(p unsafe.Pointer, c *column) error {
				*(*[]byte)(p) = append(make([]byte, 0, len(c.raw)), c.raw...)
				return c.budget.charge(int64(len(c.raw)))
			}, nil
		}
		return nil, none
	}
	switch t.Kind() {
	case reflect.Bool:
		if e.typ == typeBoolean {
			return func(p unsafe.Pointer, c *column) error { *(*bool)(p) = c.raw[0] != 0; return nil }, nil
		}
	case reflect.String:
		switch {
		case l.kind == logicalDecimal:
			return decimalText(e), nil
		case e.typ == typeBytes:
			return func(p unsafe.Pointer, c *column) (err error) { *(*string)(p), err = c.text(); return err }, nil
		case e.typ == typeFixed:
			return nil, errors.New("[]byte holds it")
		}
	case reflect.Array:
		if e.typ == typeFixed && e.length == t.Len() {
			return func(p unsafe.Pointer, c *column) error { copy(unsafe.Slice((*byte)(p), len(c.raw)), c.raw); return nil }, nil
		}
	case reflect.Float64, reflect.Float32:
		if set := floatSetter(e, t.Bits() == 32); set != nil {
			return set, nil
		}
		if e.typ == typeDouble || l.kind == logicalDecimal {
			return nil, errors.New("float64 holds it")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return integerSetter(n, e)
	}
	return nil, none
}

func durationOf(unit int) time.Duration {
	return [...]time.Duration{0, time.Millisecond, time.Microsecond, time.Nanosecond}[unit]
}

// timeOf returns the time that a value of a column is, or nil for columns of no times.
func timeOf(e *element) func(raw []byte) time.Time {
	switch l := &e.logical; {
	case e.typ == typeInt96: // of Impala and Spark: nanoseconds of the day, and a Julian day
		const epoch = 2440588
		return func(raw []byte) time.Time {
			return time.Unix((int64(binary.LittleEndian.Uint32(raw[8:]))-epoch)*86400, 0).Add(time.Duration(int64At(raw))).UTC()
		}
	case l.kind == logicalDate && e.typ == typeInt32:
		return func(raw []byte) time.Time { return time.Unix(int64(int32At(raw))*86400, 0).UTC() }
	case l.kind != logicalTimestamp || e.typ != typeInt64:
		return nil
	case l.unit == unitMillis:
		return func(raw []byte) time.Time { return time.UnixMilli(int64At(raw)).UTC() }
	case l.unit == unitMicros:
		return func(raw []byte) time.Time { return time.UnixMicro(int64At(raw)).UTC() }
	}
	return func(raw []byte) time.Time { return time.Unix(0, int64At(raw)).UTC() }
}

func timeSetter(e *element) setter {
	of := timeOf(e)
	if of == nil {
		return nil
	}
	return func(p unsafe.Pointer, c *column) error { *(*time.Time)(p) = of(c.raw); return nil }
}

// floatOf returns the number that a value is, or nil for columns of no such numbers.
func floatOf(e *element) func(raw []byte) float64 {
	switch {
	case e.typ == typeFloat:
		return func(raw []byte) float64 { return float64(math.Float32frombits(uint32(int32At(raw)))) }
	case e.typ == typeDouble:
		return func(raw []byte) float64 { return math.Float64frombits(uint64(int64At(raw))) }
	case e.logical.kind == logicalFloat16 && e.typ == typeFixed && e.length == 2:
		return func(raw []byte) float64 { return float64(halfOf(binary.LittleEndian.Uint16(raw))) }
	}
	return nil
}

func floatSetter(e *element, single bool) setter {
	of := floatOf(e)
	switch {
	case of != nil && single && e.typ != typeDouble:
		return func(p unsafe.Pointer, c *column) error { *(*float32)(p) = float32(of(c.raw)); return nil }
	case single:
		return nil
	case e.typ == typeDouble:
		return func(p unsafe.Pointer, c *column) error {
			*(*float64)(p) = math.Float64frombits(uint64(int64At(c.raw)))
			return nil
		}
	case of != nil:
		return func(p unsafe.Pointer, c *column) error { *(*float64)(p) = of(c.raw); return nil }
	case e.logical.kind == logicalDecimal:
		return func(p unsafe.Pointer, c *column) (err error) {
			*(*float64)(p), err = strconv.ParseFloat(decimalOf(e, c.raw), 64)
			return err
		}
	}
	return nil
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

// unscaled returns a decimal as a whole number.
func unscaled(e *element, raw []byte) *big.Int {
	switch e.typ {
	case typeInt32:
		return big.NewInt(int64(int32At(raw)))
	case typeInt64:
		return big.NewInt(int64At(raw))
	}
	v := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	return v
}

// decimalOf returns the text of a decimal, with all places of its scale.
func decimalOf(e *element, raw []byte) string {
	v := unscaled(e, raw)
	digits := new(big.Int).Abs(v).String()
	sign := ""
	if v.Sign() < 0 {
		sign = "-"
	}
	scale := e.logical.scale
	if scale == 0 {
		return sign + digits
	}
	for len(digits) <= scale {
		digits = "0" + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// longestDecimal bounds what a damaged value may cost: the longest valid ones have fewer
// bytes.
const longestDecimal = 4096

func decimalText(e *element) setter {
	return func(p unsafe.Pointer, c *column) error {
		if len(c.raw) > longestDecimal {
			return fmt.Errorf("a decimal has %d bytes", len(c.raw))
		}
		*(*string)(p) = decimalOf(e, c.raw)
		return nil
	}
}

// integerSetter returns the setter of a whole number.
func integerSetter(n *node, e *element) (setter, error) {
	t, l := n.typ, &e.logical
	unsigned := t.Kind() >= reflect.Uint
	of := integer
	bits, signed := 8*e.width(), true
	switch l.kind {
	case 0:
	case logicalInt:
		bits, signed = min(bits, l.bits), l.signed
	case logicalDecimal:
		if n.tag.logical.kind != logicalDecimal || n.tag.logical.scale != l.scale || unsigned {
			return nil, fmt.Errorf("string and float64 hold it, and an int64 with the tag decimal(%d:%d)", l.scale, min(max(l.precision, 1), 18))
		}
		return decimalInteger(t, e), nil
	case logicalDate:
		if n.tag.logical.kind != logicalDate {
			return nil, errors.New("time.Time holds it, and an int32 with the tag date, as days since 1970")
		}
	case logicalTimestamp:
		if n.tag.timestamp != l.unit {
			return nil, errors.New("time.Time holds it, and an int64 with the tag timestamp and its unit")
		}
	case logicalTime:
		return nil, errors.New("time.Duration holds it")
	default:
		return nil, errors.New("")
	}
	switch {
	case e.typ != typeInt32 && e.typ != typeInt64:
		return nil, errors.New("")
	case l.kind == 0 && n.tag.logical.kind+n.tag.timestamp != 0:
		return nil, errors.New("the tag is of another type: leave it out")
	case signed && unsigned:
		return nil, fmt.Errorf("int%d holds it", bits)
	case !signed && !unsigned && t.Bits() <= bits:
		return nil, fmt.Errorf("uint%d holds it", bits)
	case t.Bits() < bits:
		return nil, fmt.Errorf("a type of %d bits holds it", bits)
	}
	width := e.width()
	wide := func(c *column) int64 {
		v := of(c)
		if !signed && width == 4 {
			v = int64(uint32(v))
		}
		return v
	}
	checked := func(c *column) (int64, error) {
		v := wide(c)
		if signed && bits < 64 && v != v<<(64-bits)>>(64-bits) || !signed && bits < 64 && uint64(v)>>bits != 0 {
			return 0, fmt.Errorf("the value %d does not fit into its %d bits", v, bits)
		}
		return v, nil
	}
	plain := bits == 8*width
	switch t.Size() {
	case 8:
		if plain {
			return func(p unsafe.Pointer, c *column) error { *(*int64)(p) = wide(c); return nil }, nil
		}
		return func(p unsafe.Pointer, c *column) (err error) { *(*int64)(p), err = checked(c); return err }, nil
	case 4:
		return func(p unsafe.Pointer, c *column) error { v, err := checked(c); *(*int32)(p) = int32(v); return err }, nil
	case 2:
		return func(p unsafe.Pointer, c *column) error { v, err := checked(c); *(*int16)(p) = int16(v); return err }, nil
	}
	return func(p unsafe.Pointer, c *column) error { v, err := checked(c); *(*int8)(p) = int8(v); return err }, nil
}

// decimalInteger returns the setter of a decimal that is stored without its point.
func decimalInteger(t reflect.Type, e *element) setter {
	return func(p unsafe.Pointer, c *column) error {
		if len(c.raw) > longestDecimal {
			return fmt.Errorf("a decimal has %d bytes", len(c.raw))
		}
		v := unscaled(e, c.raw)
		if !v.IsInt64() || t.Size() == 4 && v.Int64() != int64(int32(v.Int64())) {
			return fmt.Errorf("the decimal %.100s does not fit into a Go %v", decimalOf(e, c.raw), t)
		}
		if t.Size() == 4 {
			*(*int32)(p) = int32(v.Int64())
		} else {
			*(*int64)(p) = v.Int64()
		}
		return nil
	}
}
