package executor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store/checksum"
)

// Sizes of a spool's blocks. A block is what one request reads.
const (
	localBlock  = 256 << 10
	remoteBlock = 1 << 20
)

// spool keeps values in blocks: the first ones in memory, and when that is full the
// others in an object of the attempt. Each value follows its length. The sums of the
// blocks in the object are in memory.
type spool struct {
	ctx   context.Context // of the attempt: a Spool's methods have none
	runs  *runStore
	mem   *shuffle.Grant
	block int

	last   []byte   // the block that is not full
	blocks [][]byte // full ones in memory
	taken  int64    // bytes of memory for them
	out    shuffle.RunWriter
	object []stored // blocks in the object
	key    string   // of the object; "" before it can be read
	size   int64
}

// stored is a block in the object.
type stored struct {
	size int
	sum  uint32
}

var _ pipeline.Spool = (*spool)(nil)

func newSpool(ctx context.Context, runs *runStore, mem *shuffle.Grant, remote bool) *spool {
	s := &spool{ctx: ctx, runs: runs, mem: mem, block: localBlock}
	if remote {
		s.block = remoteBlock
	}
	return s
}

// Append adds a value.
func (s *spool) Append(b []byte) error {
	if s.key != "" {
		return errors.New("a value comes after the others were read")
	}
	if len(s.last) > 0 && len(s.last)+len(b)+binary.MaxVarintLen64 > s.block {
		if err := s.seal(); err != nil {
			return err
		}
	}
	s.last = append(binary.AppendUvarint(s.last, uint64(len(b))), b...)
	return nil
}

// seal ends a block.
func (s *spool) seal() error {
	if s.out == nil && s.mem.Charge(int64(cap(s.last))) {
		s.taken += int64(cap(s.last))
		s.blocks = append(s.blocks, s.last)
		s.last = nil
		return nil
	}
	if s.out == nil {
		var err error
		if s.out, err = s.runs.Create(s.ctx); err != nil {
			return fmt.Errorf("keep values that do not fit into memory: %w", err)
		}
	}
	if _, err := s.out.Write(s.last); err != nil {
		return fmt.Errorf("keep values that do not fit into memory: %w", err)
	}
	s.object = append(s.object, stored{len(s.last), checksum.SumCRC32C(s.last)})
	s.size += int64(len(s.last))
	s.last = s.last[:0]
	return nil
}

// All passes on the values.
func (s *spool) All(yield func(b []byte) bool) error {
	if s.out != nil && s.key == "" {
		if len(s.last) > 0 {
			if err := s.seal(); err != nil {
				return err
			}
		}
		if err := s.out.Commit(); err != nil {
			return fmt.Errorf("keep values that do not fit into memory: %w", err)
		}
		s.key = s.out.Key()
	}
	for _, block := range s.blocks {
		if more, err := each(block, yield); !more || err != nil {
			return err
		}
	}
	if s.out == nil {
		_, err := each(s.last, yield)
		return err
	}
	return s.stored(yield)
}

// stored passes on the values in the object.
func (s *spool) stored(yield func(b []byte) bool) error {
	r, err := s.runs.Open(s.ctx, s.key, s.size)
	if err != nil {
		return err
	}
	defer r.Close()
	var buf []byte
	off := int64(0)
	for _, b := range s.object {
		if cap(buf) < b.size {
			buf = make([]byte, b.size)
		}
		buf = buf[:b.size]
		if err := r.ReadAt(s.ctx, buf, off); err != nil {
			return err
		}
		if checksum.SumCRC32C(buf) != b.sum {
			return fmt.Errorf("%s: bytes %d to %d are not those that were written: check the network or the store", s.key, off, off+int64(b.size))
		}
		if more, err := each(buf, yield); !more || err != nil {
			return err
		}
		off += int64(b.size)
	}
	return nil
}

// each passes on the values of a block.
func each(block []byte, yield func(b []byte) bool) (more bool, err error) {
	for len(block) > 0 {
		n, head := binary.Uvarint(block)
		if head <= 0 || n > uint64(len(block)-head) {
			return false, errors.New("a block of values ends in the middle of one")
		}
		if !yield(block[head : head+int(n) : head+int(n)]) {
			return false, nil
		}
		block = block[head+int(n):]
	}
	return true, nil
}

// Reset removes all values. An object that cannot be deleted is swept with the rest of
// the job's temporary data.
func (s *spool) Reset() error {
	s.mem.Charge(-s.taken)
	if s.out != nil {
		s.out.Abort()
		if s.key != "" {
			_ = s.runs.Delete(context.WithoutCancel(s.ctx), s.key)
		}
	}
	s.last, s.blocks, s.taken = s.last[:0], nil, 0
	s.out, s.object, s.key, s.size = nil, nil, "", 0
	return nil
}
