package gensort

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/big"
	"testing"
)

// naive is the published generator, in whole numbers.
func naive(n int) []*big.Int {
	a, _ := new(big.Int).SetString("47026247687942121848144207491837523525", 10)
	c, _ := new(big.Int).SetString("98910279301475397889117759788405497857", 10)
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	x := new(big.Int)
	var out []*big.Int
	for range n {
		x = new(big.Int).Mod(new(big.Int).Add(new(big.Int).Mul(a, x), c), modulus)
		out = append(out, x)
	}
	return out
}

func (x number) String() string { return fmt.Sprintf("%016x%016x", x.hi, x.lo) }

// TestSkippingAheadGivesThePublishedNumbers compares with the powers of two in
// the table of the published program.
func TestSkippingAheadGivesThePublishedNumbers(t *testing.T) {
	t.Parallel()
	for power, want := range map[int]string{
		0:  "4a696d47726179524950202020202001",
		1:  "95e0e48262b3edfe04479485c755b646",
		7:  "98a2542fd23d0dbdff3b886cdb1d3f80",
		20: "1b25cb9cfe5a0c963174f91a97f00000",
		32: "158c62f2b31e496dfd71a97f00000000",
		40: "e941a65d66b64bfd71a97f0000000000",
	} {
		if got := after(1 << power).String(); got != want {
			t.Errorf("number 2^%d is %s, want %s", power, got, want)
		}
	}
}

func TestBinaryRecordsAreTheRandomNumbersMasked(t *testing.T) {
	t.Parallel()
	const n = 50
	numbers := naive(n + parts)
	g := New(0, false)
	var rec [RecordSize]byte
	for i := range n {
		g.Next(&rec)
		for part := range parts {
			want := numbers[i+part].FillBytes(make([]byte, 16))[:KeySize]
			got := bytes.Clone(rec[part*KeySize : (part+1)*KeySize])
			mask := fmt.Sprintf("%016x%04x", masks[part].hi, masks[part].lo)
			for j := range got {
				var m byte
				fmt.Sscanf(mask[2*j:2*j+2], "%02x", &m)
				got[j] ^= m
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("record %d, piece %d: %x, want %x", i, part, got, want)
			}
		}
	}
	New(0, false).Next(&rec)
	if string(rec[:KeySize]) != "JimGrayRIP" {
		t.Errorf("the first key is %q; the benchmark's is JimGrayRIP", rec[:KeySize])
	}
}

func TestTextRecords(t *testing.T) {
	t.Parallel()
	numbers := naive(1001)
	g := New(1000, true)
	var rec [RecordSize]byte
	g.Next(&rec)
	x := numbers[1000]
	hi, lo := new(big.Int).Rsh(x, 64), new(big.Int).And(x, new(big.Int).SetUint64(1<<64-1))
	want := ""
	digits := func(v *big.Int, n int) {
		v = new(big.Int).Set(v)
		mod := new(big.Int)
		for range n {
			v.DivMod(v, big.NewInt(95), mod)
			want += string(rune(' ' + mod.Int64()))
		}
	}
	digits(hi, 8)
	digits(lo, 2)
	want += fmt.Sprintf("  %032X  ", 1000)
	for _, d := range fmt.Sprintf("%016X", lo.Uint64())[3:] {
		for range 4 {
			want += string(d)
		}
	}
	want += "\r\n"
	if got := string(rec[:]); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestTextRecordsAreThoseOfTheBenchmark compares with the first lines that the
// benchmark's gensort -a prints.
func TestTextRecordsAreThoseOfTheBenchmark(t *testing.T) {
	t.Parallel()
	g := New(0, true)
	var rec [RecordSize]byte
	for _, want := range []string{
		"AsfAGHM5om  00000000000000000000000000000000  0000222200002222000022220000222200002222000000001111\r\n",
		"~sHd0jDv6X  00000000000000000000000000000001  77779999444488885555CCCC777755555555BBBB666644446666\r\n",
	} {
		g.Next(&rec)
		if string(rec[:]) != want {
			t.Errorf("got  %q\nwant %q", rec, want)
		}
	}
}

func TestStartingLaterMakesTheSameRecords(t *testing.T) {
	t.Parallel()
	for _, ascii := range []bool{false, true} {
		whole := New(0, ascii)
		var a, b [RecordSize]byte
		for i := range uint64(2500) {
			whole.Next(&a)
			if New(i, ascii).Next(&b); a != b {
				t.Fatalf("ascii %v: record %d depends on where generation starts", ascii, i)
			}
		}
	}
}

func TestSumIsOfChecksumsIn128Bits(t *testing.T) {
	t.Parallel()
	var s Sum
	want := new(big.Int)
	for _, rec := range []string{"a", "b", "c"} {
		s.Add([]byte(rec))
		want.Add(want, big.NewInt(int64(crc32.ChecksumIEEE([]byte(rec)))))
	}
	if s.String() != want.Text(16) {
		t.Errorf("got %s, want %s", s, want.Text(16))
	}
	s = Sum{Lo: 1<<64 - 1}
	s.Merge(Sum{Lo: 1})
	if s.String() != "10000000000000000" {
		t.Errorf("2^64 is printed as %s", s)
	}
}

func BenchmarkNext(b *testing.B) {
	for _, ascii := range []bool{false, true} {
		b.Run(fmt.Sprintf("ascii=%v", ascii), func(b *testing.B) {
			b.SetBytes(RecordSize)
			b.ReportAllocs()
			g := New(0, ascii)
			var rec [RecordSize]byte
			for b.Loop() {
				g.Next(&rec)
			}
		})
	}
}
