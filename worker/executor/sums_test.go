package executor

import (
	"bytes"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
)

// TestSectionSums reads sections as formats do, from a byte before them to some
// bytes behind, in pieces of any size. It verifies that their sums combine to
// the object's sum.
func TestSectionSums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	body := make([]byte, 10_000)
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	want := plan.Checksum{Algorithm: uint8(checksum.CRC32), Value: uint64(crc32.ChecksumIEEE(body))}
	object := plan.Object{Root: "mem://test", Key: "body", Size: int64(len(body)), Sum: want}
	for range 200 {
		var sums []plan.SectionSum
		var lengths []int64
		for at := int64(0); at < object.Size; {
			section := plan.Section{Object: object, Offset: at, Length: 1 + r.Int64N(object.Size-at)}
			from := max(0, at-1)
			s := newSectionSum(&section)
			in := &summed{io.NopCloser(bytes.NewReader(body[from:min(object.Size, at+section.Length+r.Int64N(100))])), from, s}
			buf := make([]byte, 1+r.IntN(999))
			for n, err := in.Read(buf); n > 0 || err == nil; n, err = in.Read(buf) {
				continue
			}
			sum, whole := s.sum()
			if !whole {
				t.Fatalf("section [%d, +%d) has no sum", at, section.Length)
			}
			known := s.known
			known.Checksum = sum
			if at > 0 && (!known.BeforeIsRead || known.Before != body[at-1]) {
				t.Fatalf("the byte before section [%d, +%d) is %+v", at, section.Length, known)
			}
			sums, lengths = append(sums, known), append(lengths, section.Length)
			at += section.Length
		}
		if got, agree := attempts.CombineSums(sums, lengths); got != want || !agree {
			t.Fatalf("%d sections have the sum %v, want %v; agreed: %v", len(sums), got, want, agree)
		}
		sums[r.IntN(len(sums))].Last ^= 1
		if _, agree := attempts.CombineSums(sums, lengths); agree && len(sums) > 1 && sums[len(sums)-1].Last == body[len(body)-1] {
			t.Fatal("sections that read their seam differently agree")
		}
	}
}

func TestASectionThatIsOneObjectIsChecked(t *testing.T) {
	t.Parallel()
	body := []byte("the hay")
	object := plan.Object{Root: "mem://test", Key: "body", Size: int64(len(body)), Sum: plan.Checksum{Algorithm: uint8(checksum.CRC32), Value: uint64(crc32.ChecksumIEEE(body))}}
	section := plan.Section{Object: object, Length: object.Size}
	for text, bad := range map[string]bool{"the hay": false, "the hey": true, "the": false} {
		s := newSectionSum(&section)
		s.add([]byte(text), 0)
		err := s.check()
		if bad != (err != nil) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (plan.KindOf(err) != plan.Corrupt || !strings.Contains(err.Error(), "mem://test/body")) {
			t.Errorf("%q: %v", text, err)
		}
	}
	s := newSectionSum(&section)
	s.add(body[3:], 3) // without its beginning
	if _, whole := s.sum(); whole {
		t.Error("a section with a gap has a sum")
	}
	section.Object.Sum = plan.Checksum{}
	if newSectionSum(&section) != nil {
		t.Error("an object without a checksum has a sum to compare")
	}
}
