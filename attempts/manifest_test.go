package attempts

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
)

// TestManifestDamage flips each bit of a manifest: none is read as another.
func TestManifestDamage(t *testing.T) {
	t.Parallel()
	b, err := encodeManifest(&plan.Manifest{Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Rows: []int64{1, 2}, Tally: plan.Tally{RecordsIn: 3, Counts: map[string]int64{"a": 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := decodeManifest(b); err != nil || m.Tally.RecordsIn != 3 || m.Rows[1] != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if m, err := decodeManifest(b); err == nil {
				t.Fatalf("with bit %d of byte %d flipped it reads as %+v", bit, i, m)
			}
			b[i] ^= 1 << bit
		}
	}
	for n := range b {
		if m, err := decodeManifest(b[:n]); err == nil {
			t.Fatalf("its first %d bytes read as %+v", n, m)
		}
	}
}

// TestManifestBomb verifies that a few bytes that announce a list of billions,
// with the right checksum, do not take the memory for it.
func TestManifestBomb(t *testing.T) {
	t.Parallel()
	body := append([]byte{0x81, 0xa4}, "Rows\xdd\xff\xff\xff\xff"...)
	b := append(binary.BigEndian.AppendUint32([]byte(manifestMagic), checksum.SumCRC32C(body)), body...)
	if m, err := decodeManifest(b); err == nil {
		t.Errorf("it reads as %+v", m)
	}
}

// TestHeavyKeysAreNoPartOfAResult verifies that heavy keys are read back as they were
// written, and that attempts with other ones have the same checksum.
func TestHeavyKeysAreNoPartOfAResult(t *testing.T) {
	t.Parallel()
	key := plan.HeavyKey{Partition: 1, Hash: 1<<63 + 1, Text: `"/"`, Pairs: 3, Bytes: 40}
	runs := []plan.Run{{Key: "r", Size: 10, CRC32C: 7, Partitions: []plan.Extent{{}, {Rows: 5}}}}
	var with, without plan.Manifest
	for range 2 {
		with.Leave(plan.Shuffled{Runs: runs, Rows: []int64{0, 5}, Heavy: &plan.Heavy{Bytes: 50, Keys: []plan.HeavyKey{key}, Advice: "divide it"}})
		without.Leave(plan.Shuffled{Runs: runs, Rows: []int64{0, 5}})
	}
	if with.CRC() != without.CRC() {
		t.Errorf("checksums %d and %d", with.CRC(), without.CRC())
	}
	b, err := encodeManifest(&with)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	for place := range 2 {
		if h := m.Left(place).Heavy; h == nil || h.Bytes != 50 || len(h.Keys) != 1 || h.Keys[0] != key || h.Advice != "divide it" {
			t.Errorf("exchange %d: %+v", place, h)
		}
	}
	if b, err = encodeManifest(&without); err != nil || bytes.Contains(b, []byte("Heavy")) {
		t.Errorf("a manifest without heavy keys is not that of the version before: %v", err)
	}
}

// TestRowsOf verifies that a manifest is checked against itself.
func TestRowsOf(t *testing.T) {
	t.Parallel()
	task := plan.TaskID{Stage: "sessions", Phase: plan.Reduce, Index: 3}
	left := plan.Shuffled{Rows: []int64{2}, Runs: []plan.Run{{Partitions: []plan.Extent{{Rows: 1}}}, {Partitions: []plan.Extent{{Rows: 1}}}}}
	if n, err := RowsOf(task, left, 0, 1); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := RowsOf(task, left, 0, 2); err == nil || !strings.Contains(err.Error(), "sessions/reduce/3") {
		t.Errorf("one partition passes for two: %v", err)
	}
	left.Rows[0] = 3
	if _, err := RowsOf(task, left, 0, 1); err == nil {
		t.Error("runs of two pairs pass for the three that were written")
	}
	left.Rows = []int64{2, 0}
	if _, err := RowsOf(task, left, 0, 2); err == nil {
		t.Error("runs of one partition pass for those of two")
	}
}

// FuzzDecodeManifest verifies that bytes that decode as a manifest encode to an
// equal one, and that other bytes only give an error.
func FuzzDecodeManifest(f *testing.F) {
	whole, err := encodeManifest(&plan.Manifest{Rows: []int64{1, 2}, Runs: []plan.Run{{Key: "x", Partitions: []plan.Extent{{Rows: 1}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(manifestMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if body := b[min(len(b), len(manifestMagic)+4):]; len(body) > 0 {
			// A wrong checksum would keep the fuzzer out of the rest.
			b = append(binary.BigEndian.AppendUint32([]byte(manifestMagic), checksum.SumCRC32C(body)), body...)
		}
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		again, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeManifest(again); err != nil {
			t.Fatal(err)
		}
	})
}
