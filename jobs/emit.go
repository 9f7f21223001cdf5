package jobs

import (
	"encoding/binary"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// sender encodes pairs straight into the shuffle's memory.
type sender[K, V any] struct {
	ctx   *Context
	to    *pairs.Collector
	n     int // partitions
	key   codec.Key[K]
	value codec.Value[V]
	// choose returns the partition of a pair. Nil: the hash of its key decides.
	// key is nil where only the encoded key is known.
	choose func(encoded []byte, key *K) uint32
	keys   K // slots that encoders point to, so that no pair is allocated
	values V
}

func newSender[K, V, W any](r *run, e *exchange[K, V, W]) *sender[K, W] {
	w := r.write(e.n)
	s := &sender[K, W]{ctx: r.ctx, to: w.Pairs, n: w.Partitions, key: e.key, value: e.value}
	switch group, custom := e.group, e.in.partition; {
	case w.Sample != nil: // kept as they are, until their keys are known
		s.choose = func(encoded []byte, _ *K) uint32 {
			w.Sample(encoded)
			return pairs.PartitionOf(pairs.Hash(encoded), s.n)
		}
	case e.n.shuffle.exchange.Ranges:
		s.choose = func(encoded []byte, _ *K) uint32 { return pairs.RangePartition(w.Cuts, encoded) }
	case custom != nil:
		s.choose = chosen(r.ctx, e.n, e.key, custom, s.n)
	case group != nil:
		s.choose = func(encoded []byte, _ *K) uint32 { return pairs.PartitionOf(pairs.Hash(group(encoded)), s.n) }
	}
	return s
}

// chosen adapts the function of a Partition.
func chosen[K any](ctx *Context, n *node, key codec.Key[K], f func(key K, n int) int, partitions int) func([]byte, *K) uint32 {
	decode := key.Decoder()
	var decoded K
	return func(encoded []byte, key *K) uint32 {
		if key == nil {
			if err := decode(encoded, &decoded); err != nil {
				ctx.fail(err)
				return 0
			}
			key = &decoded
		}
		part := f(*key, partitions)
		if part < 0 || part >= partitions {
			ctx.reject(n, fmt.Errorf("Partition returned %d for key %s; it must return 0 to %d", part, keyText(*key), partitions-1))
			return 0
		}
		return uint32(part)
	}
}

// partition returns the partition of an encoded key with that hash.
func (s *sender[K, V]) partition(hash uint64, encoded []byte) uint32 {
	if s.choose != nil {
		return s.choose(encoded, nil)
	}
	return pairs.PartitionOf(hash, s.n)
}

// send takes a pair whose key is already encoded.
func (s *sender[K, V]) send(hash uint64, encoded []byte, value *V) {
	b := append(s.to.Room(), encoded...)
	b, err := s.value.Append(b, value)
	if err != nil {
		s.ctx.fail(s.ctx.recordError(err))
		return
	}
	s.to.Add(b, len(encoded), s.partition(hash, encoded))
}

// emit returns the function that mappers call when nothing is combined. The
// common types of keys have a function of their own, which does not call their
// codec.
func (s *sender[K, V]) emit() Emit[K, V] {
	if s.choose != nil {
		return s.emitAny
	}
	var special any
	var zero K
	switch any(zero).(type) {
	case []byte:
		special = Emit[[]byte, V](func(key []byte, value V) { sendBytes(s, key, value) })
	case string:
		special = Emit[string, V](func(key string, value V) { sendBytes(s, key, value) })
	case int64:
		special = Emit[int64, V](func(key int64, value V) { sendUint64(s, uint64(key)^1<<63, value) })
	case uint64:
		special = Emit[uint64, V](func(key uint64, value V) { sendUint64(s, key, value) })
	}
	if emit, ok := special.(Emit[K, V]); ok {
		return emit
	}
	return s.emitAny
}

func sendBytes[K, V any, B []byte | string](s *sender[K, V], key B, value V) {
	if s.ctx.err != nil {
		return
	}
	s.values = value
	b := append(s.to.Room(), key...)
	hash := pairs.Hash(b)
	b, err := s.value.Append(b, &s.values)
	if err != nil {
		s.ctx.fail(s.ctx.recordError(err))
		return
	}
	s.to.Add(b, len(key), pairs.PartitionOf(hash, s.n))
}

func sendUint64[K, V any](s *sender[K, V], key uint64, value V) {
	if s.ctx.err != nil {
		return
	}
	s.values = value
	b := binary.BigEndian.AppendUint64(s.to.Room(), key)
	hash := pairs.Hash(b)
	b, err := s.value.Append(b, &s.values)
	if err != nil {
		s.ctx.fail(s.ctx.recordError(err))
		return
	}
	s.to.Add(b, 8, pairs.PartitionOf(hash, s.n))
}

// emitAny takes a key of any type.
func (s *sender[K, V]) emitAny(key K, value V) {
	if s.ctx.err != nil {
		return
	}
	s.keys, s.values = key, value
	b := s.key.Append(s.to.Room(), &s.keys)
	n := len(b)
	var part uint32
	if s.choose != nil {
		part = s.choose(b, &s.keys)
	} else {
		part = pairs.PartitionOf(pairs.Hash(b), s.n)
	}
	b, err := s.value.Append(b, &s.values)
	if err != nil {
		s.ctx.fail(s.ctx.recordError(err))
		return
	}
	s.to.Add(b, n, part)
}

// keyText shows a key in an error message.
func keyText(key any) string {
	switch k := key.(type) {
	case []byte:
		return fmt.Sprintf("%.200q", k)
	case string:
		return fmt.Sprintf("%.200q", k)
	}
	return fmt.Sprintf("%.200v", fmt.Sprint(key))
}
