package codec

import (
	"testing"
	"time"
)

func benchKey[K any](b *testing.B, key K) {
	c, err := KeyOf[K]()
	if err != nil {
		b.Fatal(err)
	}
	slot := &key
	buf := make([]byte, 0, 1024)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = c.Append(buf[:0], slot)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		decode := c.Decoder()
		buf = c.Append(buf[:0], slot)
		for b.Loop() {
			if err := decode(buf, slot); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchValue[V any](b *testing.B, value V) {
	c, err := ValueOf[V]()
	if err != nil {
		b.Fatal(err)
	}
	slot := &value
	buf := make([]byte, 0, 1024)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if buf, err = c.Append(buf[:0], slot); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		decode := c.Decoder()
		for b.Loop() {
			if err := decode(buf, slot); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkKey(b *testing.B) {
	b.Run("int64", func(b *testing.B) { benchKey(b, int64(12345)) })
	b.Run("string", func(b *testing.B) { benchKey(b, "windrow") })
	b.Run("tuple", func(b *testing.B) {
		benchKey(b, struct {
			S string
			N int64
		}{"windrow", 5})
	})
	b.Run("own", func(b *testing.B) { benchKey(b, address{}) })
}

func BenchmarkValue(b *testing.B) {
	b.Run("int64", func(b *testing.B) { benchValue(b, int64(12345)) })
	b.Run("struct", func(b *testing.B) {
		benchValue(b, struct {
			A, B, C, D int64
			S          string
			T          time.Time
		}{S: "windrow"})
	})
	b.Run("map", func(b *testing.B) { benchValue(b, map[string]int64{"a": 1, "b": 2}) })
}
