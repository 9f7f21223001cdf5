package jobs

import (
	"encoding/binary"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// sender encodes pairs straight into the shuffle's memory.
type sender[K, V any] struct {
	ctx   *Context
	to    *pairs.Collector
	n     int // partitions
	key   codec.Key[K]
	value codec.Value[V]
	// choose returns the partition of an encoded key. Nil: its hash decides.
	choose func(encoded []byte) uint32
	custom func(key *K) uint32 // of a Partition, for keys that are not encoded yet
	keys   K                   // slots that encoders point to, so that no pair is allocated
	values V
}

func newSender[K, V, W any](r *run, e *exchange[K, V, W]) *sender[K, W] {
	w := r.write(e.n)
	s := &sender[K, W]{ctx: r.ctx, to: w.Pairs, n: w.Partitions, key: e.key, value: e.value}
	s.choose = chooser(w, e.n.shuffle.exchange.Ranges, e.group)
	if f := e.in.partition; f != nil && w.Sample == nil && !e.n.shuffle.exchange.Ranges {
		s.choose, s.custom = chosen(r.ctx, e.n, e.key, f, s.n)
	}
	return s
}

// chooser returns how pairs are divided without a Partition, nil where the hash of the
// whole key decides.
//
//go:noinline
func chooser(w *pipeline.Write, ranges bool, group func(key []byte) []byte) func(encoded []byte) uint32 {
	switch {
	case w.Sample != nil: // kept as they are, until their keys are known
		return func(encoded []byte) uint32 {
			w.Sample(encoded)
			return pairs.PartitionOf(pairs.Hash(encoded), w.Partitions)
		}
	case ranges:
		return func(encoded []byte) uint32 { return pairs.RangePartition(w.Cuts, encoded) }
	case group != nil:
		return func(encoded []byte) uint32 { return pairs.PartitionOf(pairs.Hash(group(encoded)), w.Partitions) }
	}
	return nil
}

// chosen adapts the function of a Partition, to encoded keys and to others.
func chosen[K any](ctx *Context, n *node, key codec.Key[K], f func(key K, n int) int, partitions int) (func([]byte) uint32, func(*K) uint32) {
	decode := key.Decoder()
	var decoded K
	choose := func(key *K) uint32 {
		part := f(*key, partitions)
		if part < 0 || part >= partitions {
			ctx.reject(n, fmt.Errorf("Partition returned %d for key %s; it must return 0 to %d", part, keyText(*key), partitions-1))
			return 0
		}
		return uint32(part)
	}
	return func(encoded []byte) uint32 {
		if err := decode(encoded, &decoded); err != nil {
			ctx.fail(err)
			return 0
		}
		return choose(&decoded)
	}, choose
}

// partition returns the partition of an encoded key with that hash.
func (s *sender[K, V]) partition(hash uint64, encoded []byte) uint32 {
	if s.choose != nil {
		return s.choose(encoded)
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
	switch {
	case s.custom != nil:
		part = s.custom(&s.keys)
	case s.choose != nil:
		part = s.choose(b)
	default:
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
