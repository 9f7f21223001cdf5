package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// address is a key with an order of its own.
type address struct{ netip.Addr }

func (a address) AppendKey(dst []byte) []byte { b := a.As16(); return append(dst, b[:]...) }

func (a *address) DecodeKey(b []byte) error {
	if len(b) != 16 {
		return errors.New("an address has 16 bytes")
	}
	a.Addr = netip.AddrFrom16([16]byte(b))
	return nil
}

type word string

type event struct {
	User string
	At   time.Time
	Desc Desc[string]
	N    int32
}

// textOf returns a text with many of the bytes that need escaping.
func textOf(r *rand.Rand) string {
	b := make([]byte, r.IntN(6))
	for i := range b {
		b[i] = []byte{0, 1, 2, 'a', 0xFE, 0xFF}[r.IntN(6)]
	}
	return string(b)
}

func floatOf(r *rand.Rand) float64 {
	special := []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, -math.MaxFloat64}
	if r.IntN(3) == 0 {
		return special[r.IntN(len(special))]
	}
	return math.Float64frombits(r.Uint64())
}

// compareFloats orders NaN last and both zeros as equal.
func compareFloats(a, b float64) int {
	switch {
	case a != a || b != b:
		return cmp.Compare(boolInt(a != a), boolInt(b != b))
	}
	return cmp.Compare(a, b)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func timeOf(r *rand.Rand) time.Time {
	zone := time.FixedZone("", (r.IntN(25)-12)*3600)
	return time.Unix(r.Int64N(4)-2, r.Int64N(3)).In(zone)
}

// checkKeys compares the order and the round trip of many pairs of keys with
// the results of compare.
func checkKeys[K any](t *testing.T, random func(r *rand.Rand) K, compare func(a, b K) int) {
	t.Helper()
	key, err := KeyOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	prefix, err := PrefixOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	decode, decodePrefix := key.Decoder(), prefix.Decoder()
	for range 20_000 {
		a, b := random(r), random(r)
		want := compare(a, b)
		for name, c := range map[string]Key[K]{"whole": key, "prefix": prefix} {
			x, y := c.Append(nil, &a), c.Append([]byte("before"), &b)[6:]
			if got := bytes.Compare(x, y); got != want {
				t.Fatalf("%s: %#v and %#v compare as %d, encoded as %x and %x as %d", name, a, b, want, x, y, got)
			}
			if w := c.Width(); w != 0 && len(x) != w {
				t.Fatalf("%s: %#v takes %d bytes, Width is %d", name, a, len(x), w)
			}
		}
		var back K
		if err := decode(key.Append(nil, &a), &back); err != nil || compare(a, back) != 0 {
			t.Fatalf("%#v comes back as %#v, %v", a, back, err)
		}
		encoded := prefix.Append(nil, &a)
		if n := prefix.Len(append(bytes.Clone(encoded), "rest"...)); n != len(encoded) {
			t.Fatalf("%#v takes %d bytes, Len says %d", a, len(encoded), n)
		}
		for cut := range encoded {
			if n := prefix.Len(encoded[:cut]); n >= 0 && n != cut {
				t.Fatalf("Len of %x is %d", encoded[:cut], n)
			}
		}
		if err := decodePrefix(encoded, &back); err != nil || compare(a, back) != 0 {
			t.Fatalf("%#v comes back from a prefix as %#v, %v", a, back, err)
		}
	}
}

func TestKeysCompareAsTheirBytes(t *testing.T) {
	t.Parallel()
	t.Run("string", func(t *testing.T) { t.Parallel(); checkKeys(t, textOf, strings.Compare) })
	t.Run("named string", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) word { return word(textOf(r)) }, cmp.Compare)
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) []byte { return []byte(textOf(r)) }, bytes.Compare)
	})
	t.Run("int64", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) int64 { return int64(r.Uint64()) >> r.IntN(64) }, cmp.Compare)
	})
	t.Run("int", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) int { return int(r.Uint64()) >> r.IntN(64) }, cmp.Compare)
	})
	t.Run("int16", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) int16 { return int16(r.Uint32()) }, cmp.Compare)
	})
	t.Run("uint32", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) uint32 { return r.Uint32() >> r.IntN(32) }, cmp.Compare)
	})
	t.Run("float64", func(t *testing.T) { t.Parallel(); checkKeys(t, floatOf, compareFloats) })
	t.Run("float32", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) float32 { return float32(floatOf(r)) },
			func(a, b float32) int { return compareFloats(float64(a), float64(b)) })
	})
	t.Run("bool", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) bool { return r.IntN(2) == 0 }, func(a, b bool) int { return boolInt(a) - boolInt(b) })
	})
	t.Run("time", func(t *testing.T) { t.Parallel(); checkKeys(t, timeOf, time.Time.Compare) })
	t.Run("array of bytes", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) [3]byte { return [3]byte{byte(r.Uint32()), byte(r.IntN(2))} },
			func(a, b [3]byte) int { return bytes.Compare(a[:], b[:]) })
	})
	t.Run("array of strings", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) [2]string { return [2]string{textOf(r), textOf(r)} },
			func(a, b [2]string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	})
	t.Run("own", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) address {
			return address{netip.AddrFrom16([16]byte{byte(r.IntN(3)), 15: byte(r.IntN(3))})}
		}, func(a, b address) int { return a.Compare(b.Addr) })
	})
	t.Run("descending", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) Desc[string] { return Desc[string]{textOf(r)} },
			func(a, b Desc[string]) int { return strings.Compare(b.V, a.V) })
	})
	t.Run("descending twice", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) Desc[Desc[[]byte]] { return Desc[Desc[[]byte]]{Desc[[]byte]{[]byte(textOf(r))}} },
			func(a, b Desc[Desc[[]byte]]) int { return bytes.Compare(a.V.V, b.V.V) })
	})
	t.Run("struct", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(r *rand.Rand) event {
			return event{textOf(r), timeOf(r), Desc[string]{textOf(r)}, r.Int32N(3)}
		}, func(a, b event) int {
			return cmp.Or(strings.Compare(a.User, b.User), a.At.Compare(b.At), strings.Compare(b.Desc.V, a.Desc.V), cmp.Compare(a.N, b.N))
		})
	})
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		checkKeys(t, func(*rand.Rand) struct{} { return struct{}{} }, func(_, _ struct{}) int { return 0 })
	})
}

type inner struct {
	name  string
	Bytes []byte
	Array [4]byte
}

type ports map[uint16]struct{}

// MarshalBinary and UnmarshalBinary give ports an encoding of its own.
func (p ports) MarshalBinary() ([]byte, error) {
	var b []byte
	for port := range uint16(10) {
		if _, ok := p[port]; ok {
			b = binary.BigEndian.AppendUint16(b, port)
		}
	}
	return b, nil
}

func (p *ports) UnmarshalBinary(b []byte) error {
	if *p == nil {
		*p = ports{}
	}
	for ; len(b) >= 2; b = b[2:] {
		(*p)[binary.BigEndian.Uint16(b)] = struct{}{}
	}
	return nil
}

type everything struct {
	I8    int8
	U16   uint16
	F32   float32
	F64   float64
	Int   int
	B     bool
	hid   string
	In    inner
	At    time.Time
	List  []inner
	Names map[string][]string
	Ptr   *inner
	Nil   *inner
	Ports ports
	Pair  [2]string
	Last  []byte
}

func everythingOf(r *rand.Rand) everything {
	in := func() inner { return inner{textOf(r), []byte(textOf(r)), [4]byte{byte(r.Uint32())}} }
	e := everything{
		I8: int8(r.Uint32()), U16: uint16(r.Uint32()), F32: r.Float32(), F64: r.NormFloat64(), Int: int(r.Uint64()),
		B: r.IntN(2) == 0, hid: textOf(r), In: in(), At: timeOf(r), Pair: [2]string{textOf(r), textOf(r)},
		Last: []byte(textOf(r)), Ports: ports{uint16(r.IntN(5)): {}},
	}
	if r.IntN(3) > 0 {
		e.List = []inner{}
		e.Names = map[string][]string{}
		p := in()
		e.Ptr = &p
	}
	for range r.IntN(4) {
		e.List = append(e.List, in())
		if e.Names != nil {
			e.Names[textOf(r)] = []string{textOf(r)}
		}
	}
	return e
}

func checkValues[V any](t *testing.T, random func(r *rand.Rand) V) {
	t.Helper()
	c, err := ValueOf[V]()
	if err != nil {
		t.Fatal(err)
	}
	decode := c.Decoder()
	r := rand.New(rand.NewPCG(5, 6))
	var back V // used repeatedly, as in a reduce
	for range 5_000 {
		v := random(r)
		b, err := c.Append([]byte("before"), &v)
		if err != nil {
			t.Fatal(err)
		}
		b = b[6:]
		if w := c.Width(); w != 0 && len(b) != w {
			t.Fatalf("%#v takes %d bytes, Width is %d", v, len(b), w)
		}
		if err := decode(b, &back); err != nil || !reflect.DeepEqual(v, back) {
			t.Fatalf("%+v comes back as %+v, %v", v, back, err)
		}
		again, err := c.Append(nil, &back)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("%+v is encoded as %x and as %x, %v", v, b, again, err)
		}
	}
}

func TestValuesComeBack(t *testing.T) {
	t.Parallel()
	t.Run("int64", func(t *testing.T) {
		t.Parallel()
		checkValues(t, func(r *rand.Rand) int64 { return int64(r.Uint64()) })
	})
	t.Run("int8", func(t *testing.T) { t.Parallel(); checkValues(t, func(r *rand.Rand) int8 { return int8(r.Uint32()) }) })
	t.Run("string", func(t *testing.T) { t.Parallel(); checkValues(t, textOf) })
	t.Run("nothing", func(t *testing.T) { t.Parallel(); checkValues(t, func(*rand.Rand) struct{} { return struct{}{} }) })
	t.Run("array", func(t *testing.T) {
		t.Parallel()
		checkValues(t, func(r *rand.Rand) [90]byte { return [90]byte{byte(r.Uint32()), 89: byte(r.Uint32())} })
	})
	t.Run("map", func(t *testing.T) {
		t.Parallel()
		checkValues(t, func(r *rand.Rand) map[int32]float64 {
			m := map[int32]float64{}
			for range r.IntN(20) {
				m[r.Int32()] = r.Float64()
			}
			return m
		})
	})
	t.Run("everything", func(t *testing.T) {
		t.Parallel()
		c, err := ValueOf[everything]()
		if err != nil {
			t.Fatal(err)
		}
		if c.Owned() {
			t.Error("a struct of slices is reported to own the memory it points to")
		}
		checkValues(t, func(r *rand.Rand) everything {
			e := everythingOf(r)
			// A zone is known by its offset, and a zero offset is UTC.
			if _, offset := e.At.Zone(); offset == 0 {
				e.At = e.At.UTC()
			} else {
				e.At = e.At.In(time.FixedZone("", offset))
			}
			return e
		})
	})
}

func TestWidths(t *testing.T) {
	t.Parallel()
	check := func(what string, got, want int) {
		if got != want {
			t.Errorf("%s: width %d, want %d", what, got, want)
		}
	}
	i, _ := ValueOf[int64]()
	check("int64", i.Width(), 8)
	f, _ := ValueOf[struct {
		A float64
		B int32
	}]()
	check("struct", f.Width(), 12)
	s, _ := ValueOf[string]()
	check("string", s.Width(), 0)
	n, _ := ValueOf[struct{}]()
	check("struct{}", n.Width(), 0)
	k, _ := KeyOf[[10]byte]()
	check("[10]byte", k.Width(), 10)
	d, _ := KeyOf[Desc[uint16]]()
	check("Desc[uint16]", d.Width(), 2)
}

type half struct{}

func (half) AppendKey(dst []byte) []byte { return dst }

type promoted struct {
	address
	Port int
}

type timed struct {
	time.Time
	Name string
}

type ring struct{ Next *ring }

func TestTypesThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	check := func(err error, wants ...string) {
		t.Helper()
		if err == nil {
			t.Errorf("no error, want one with %q", wants)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	}
	_, err := KeyOf[map[string]int]()
	check(err, "map[string]int", "has no order", "AppendKey")
	_, err = KeyOf[struct{ A []string }]()
	check(err, "struct", "[]string", "has no order")
	_, err = KeyOf[*int]()
	check(err, "*int")
	_, err = KeyOf[any]()
	check(err, "interface")
	_, err = KeyOf[half]()
	check(err, "DecodeKey")
	_, err = KeyOf[promoted]()
	check(err, "embedded", "address")
	_, err = ValueOf[timed]()
	check(err, "embedded", "Time")
	_, err = ValueOf[ring]()
	check(err, "contains itself")
	_, err = ValueOf[struct{ F func() }]()
	check(err, "func()", "cannot be encoded")
	_, err = ValueOf[[]any]()
	check(err, "interface")
	_, err = ValueOf[map[string]error]()
	check(err, "error", "interface")
}

func TestGarbageIsAnError(t *testing.T) {
	t.Parallel()
	k, err := KeyOf[event]()
	if err != nil {
		t.Fatal(err)
	}
	v, err := ValueOf[everything]()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	key, value := event{"a\x00b", time.Unix(1, 2), Desc[string]{"x\x00"}, 3}, everythingOf(r)
	kb := k.Append(nil, &key)
	for cut := range kb {
		if k.Decoder()(kb[:cut], &key) == nil {
			t.Errorf("%d of %d bytes of a key are accepted as a whole one", cut, len(kb))
		}
	}
	if k.Decoder()(append(kb, 0), &key) == nil {
		t.Error("a key with a byte too many is accepted")
	}
	vb, err := v.Append(nil, &value)
	if err != nil {
		t.Fatal(err)
	}
	end := len(vb) - len(value.Last)
	for cut := range vb[:end] {
		if v.Decoder()(vb[:cut], &value) == nil {
			t.Errorf("%d of %d bytes of a value are accepted as a whole one", cut, len(vb))
		}
	}
	m, _ := ValueOf[map[uint8]uint8]()
	for _, b := range [][]byte{{3, 1, 1, 1, 2}, {3, 2, 1, 1, 2}} {
		if m.Decoder()(b, new(map[uint8]uint8)) == nil {
			t.Errorf("a map with keys that are repeated or out of order is accepted: %x", b)
		}
	}
	huge, _ := ValueOf[[]int64]()
	if err := huge.Decoder()(binary.AppendUvarint(nil, 1<<50), new([]int64)); err == nil {
		t.Error("a slice of 2^50 elements in 8 bytes is accepted")
	}
}

func TestStringsOutliveTheirBytes(t *testing.T) {
	t.Parallel()
	c, err := ValueOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	decode := c.Decoder()
	var kept, want []string
	r := rand.New(rand.NewPCG(9, 1))
	for i := range 20_000 {
		b := bytes.Repeat([]byte{byte(i)}, r.IntN(20))
		if i%1000 == 0 {
			b = bytes.Repeat([]byte{byte(i)}, 10_000)
		}
		want = append(want, string(b))
		var s string
		if err := decode(b, &s); err != nil {
			t.Fatal(err)
		}
		for j := range b {
			b[j] = '#'
		}
		kept = append(kept, s)
	}
	if !reflect.DeepEqual(kept, want) {
		t.Error("a decoded string changed")
	}
}
