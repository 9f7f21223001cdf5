package checksum_test

import (
	"hash/crc32"
	"hash/crc64"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/store/checksum"
)

var algorithms = []checksum.Algorithm{checksum.CRC32, checksum.CRC32C, checksum.CRC64NVME}

// direct computes checks by the tables of the standard library.
func direct(a checksum.Algorithm, p []byte) uint64 {
	switch a {
	case checksum.CRC32:
		return uint64(crc32.ChecksumIEEE(p))
	case checksum.CRC32C:
		return uint64(crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	case checksum.CRC64NVME:
		return crc64.Checksum(p, crc64.MakeTable(0x9a6c9329ac4bc9b5))
	case checksum.None:
	}
	return 0
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// TestCheckValues compares the algorithms with the check values of the
// catalogue of parametrised CRCs: the digits from 1 to 9.
func TestCheckValues(t *testing.T) {
	t.Parallel()
	for a, want := range map[checksum.Algorithm]string{
		checksum.CRC32: "CRC32 cbf43926", checksum.CRC32C: "CRC32C e3069283", checksum.CRC64NVME: "CRC64NVME ae8b14860a799888",
	} {
		if got := checksum.Of(a, []byte("123456789")).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	for _, a := range algorithms {
		p := noise(1, 100_000)
		d := checksum.New(a)
		for rest, n := p, 1; len(rest) > 0; n = n*3 + 1 {
			k := min(n%7000, len(rest))
			_, _ = d.Write(rest[:k])
			rest = rest[k:]
		}
		if got := d.Sum(); got != (checksum.Sum{Algorithm: a, Value: direct(a, p)}) || d.Size() != int64(len(p)) {
			t.Errorf("%v of %d bytes, want %x", got, d.Size(), direct(a, p))
		}
	}
	if s := checksum.Of(checksum.None, []byte("x")); s.Known() || s != (checksum.Sum{}) {
		t.Errorf("no algorithm gave %v", s)
	}
}

// TestCombine cuts bytes anywhere and compares with the check of the whole.
func TestCombine(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	for _, a := range algorithms {
		p := noise(2, 70_000)
		cuts := []int{0, 1, 2, 255, 256, 65535, 65536, len(p) - 1, len(p)}
		for range 100 {
			cuts = append(cuts, r.IntN(len(p)+1))
		}
		for _, cut := range cuts {
			got := checksum.Combine(a, direct(a, p[:cut]), direct(a, p[cut:]), int64(len(p)-cut))
			if got != direct(a, p) {
				t.Fatalf("%v cut at %d: %x, want %x", a, cut, got, direct(a, p))
			}
		}
		var sum checksum.Sum
		for rest := p; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(5000))
			next := checksum.Of(a, rest[:n])
			if !sum.Known() {
				sum = next
			} else {
				sum = sum.Append(next, int64(n))
			}
			rest = rest[n:]
		}
		if sum.Value != direct(a, p) {
			t.Errorf("%v of many pieces: %v, want %x", a, sum, direct(a, p))
		}
	}
	one, other := checksum.Of(checksum.CRC32, nil), checksum.Of(checksum.CRC32C, nil)
	if got := one.Append(other, 0); got.Known() {
		t.Errorf("two algorithms combined to %v", got)
	}
}

// TestCombineLong compares the check of many equal blocks by doubling with
// hashing them all.
func TestCombineLong(t *testing.T) {
	t.Parallel()
	block := noise(3, 1<<20)
	for _, a := range algorithms {
		sum, size := checksum.Of(a, block), int64(len(block))
		d := checksum.New(a)
		for range 64 {
			_, _ = d.Write(block)
		}
		for size < 64<<20 {
			sum, size = sum.Append(sum, size), 2*size
		}
		if sum != d.Sum() {
			t.Errorf("%v, want %v", sum, d.Sum())
		}
	}
}

func TestBase64(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]checksum.Sum{
		"4waSgw==":     {Algorithm: checksum.CRC32C, Value: 0xe3069283},
		"rosUhgp5mIg=": {Algorithm: checksum.CRC64NVME, Value: 0xae8b14860a799888},
		"AAAAAQ==":     {Algorithm: checksum.CRC32, Value: 1},
	} {
		if got := checksum.Parse(want.Algorithm, text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
		if got := want.Base64(); got != text {
			t.Errorf("%v is %q, want %q", want, got, text)
		}
	}
	for _, text := range []string{"", "4waSgw==-3", "4waSgw", "rosUhgp5mIg=", "%"} {
		if got := checksum.Parse(checksum.CRC32C, text); got.Known() {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	p := noise(4, 1<<20)
	for _, a := range algorithms {
		b.Run(a.String(), func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			d := checksum.New(a)
			for b.Loop() {
				_, _ = d.Write(p)
			}
		})
	}
}

func BenchmarkCombine(b *testing.B) {
	for _, a := range algorithms {
		b.Run(a.String(), func(b *testing.B) {
			sum := uint64(12345)
			for b.Loop() {
				sum = checksum.Combine(a, sum, 99, 64<<20)
			}
		})
	}
}

// TestCRC32C verifies that the functions for CRC32C alone agree with a Digest,
// however the bytes are divided.
func TestCRC32C(t *testing.T) {
	t.Parallel()
	body := noise(5, 1000)
	want := uint32(checksum.Of(checksum.CRC32C, body).Value)
	if got := checksum.SumCRC32C(body); got != want {
		t.Errorf("SumCRC32C: %08x, want %08x", got, want)
	}
	if got := checksum.UpdateCRC32C(checksum.SumCRC32C(body[:300]), body[300:]); got != want {
		t.Errorf("UpdateCRC32C: %08x, want %08x", got, want)
	}
	h := checksum.NewCRC32C()
	_, _ = h.Write(body)
	if got := h.Sum32(); got != want {
		t.Errorf("NewCRC32C: %08x, want %08x", got, want)
	}
}
