package executor

import (
	"io"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
)

// sectionSum digests the bytes of a section as they come from the store, so that
// they can be compared with the checksum that the store keeps of the object. A
// section that is not read from its first byte to its last, in order, has none.
//
// The byte in front of a section is its neighbour's last one, and is compared
// with what the neighbour read. Bytes behind it are the neighbour's first ones;
// they are read twice, see tail.
type sectionSum struct {
	digest *checksum.Digest
	object plan.Object
	from   int64
	next   int64 // offset that must come next
	end    int64
	known  plan.SectionSum // without the checksum
}

// newSectionSum returns nil when the store keeps no checksum of the object.
func newSectionSum(s *plan.Section) *sectionSum {
	sum := checksum.Sum{Algorithm: checksum.Algorithm(s.Object.Sum.Algorithm)}
	if !sum.Known() {
		return nil
	}
	return &sectionSum{digest: checksum.New(sum.Algorithm), object: s.Object, from: s.Offset, next: s.Offset, end: s.Offset + s.Length}
}

// add digests bytes that were read at an offset of the object.
func (s *sectionSum) add(p []byte, at int64) {
	if i := s.from - 1 - at; i >= 0 && i < int64(len(p)) {
		s.known.Before, s.known.BeforeIsRead = p[i], true
	}
	from, to := max(at, s.next), min(at+int64(len(p)), s.end)
	if from > s.next || from >= to {
		return // a gap, which no later read closes, or bytes that were seen
	}
	_, _ = s.digest.Write(p[from-at : to-at]) // never fails
	s.known.Last = p[to-at-1]
	s.next = to
}

// sum returns the digest, and whether it covers all of the section.
func (s *sectionSum) sum() (plan.Checksum, bool) {
	sum := s.digest.Sum()
	return plan.Checksum{Algorithm: uint8(sum.Algorithm), Value: sum.Value}, s.next == s.end
}

// check compares the sum of an object that is one section with the sum that the
// store keeps. A difference is an error of kind Corrupt: the next attempt can
// succeed if the bytes changed on the way.
func (s *sectionSum) check() error {
	got, whole := s.sum()
	if !whole || s.digest.Size() != s.object.Size || got == s.object.Sum {
		return nil
	}
	return attempts.Misread(s.object, got)
}

// checkSums compares the objects that were read as one section with the sums
// that the store keeps, and returns the sums of the other sections.
func (in *inputs) checkSums() ([]plan.SectionSum, error) {
	var sums []plan.SectionSum
	for i, s := range in.sums {
		if s == nil {
			continue
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		if sum, whole := s.sum(); whole && s.digest.Size() != s.object.Size {
			if sums == nil {
				sums = make([]plan.SectionSum, len(in.sums))
			}
			sums[i] = s.known
			sums[i].Checksum = sum
		}
	}
	return sums, nil
}

// summed digests the bytes that it reads.
type summed struct {
	io.ReadCloser
	at  int64 // offset in the object of the next byte
	sum *sectionSum
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.sum.add(p[:n], s.at)
	s.at += int64(n)
	return n, err
}
