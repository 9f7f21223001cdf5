package attempts_test

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/windrow-mr/windrow/attempts"
)

// FuzzDecodeTable verifies that bytes that decode as a table encode to an equal
// one, and that other bytes only give an error.
func FuzzDecodeTable(f *testing.F) {
	whole, err := randomTable(rand.New(rand.NewPCG(1, 1))).Encode()
	if err != nil {
		f.Fatal(err)
	}
	const magic, header = 8, 12
	f.Add(whole)
	f.Add(whole[:magic])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > header {
			// Wrong magic or checksum would keep the fuzzer out of the rest.
			b = append(whole[:magic:magic], b[magic:]...)
			binary.BigEndian.PutUint32(b[magic:], checksum.SumCRC32C(b[header:]))
		}
		table, err := attempts.DecodeTable(b)
		if err != nil {
			return
		}
		again, err := table.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := attempts.DecodeTable(again)
		if err != nil || !reflect.DeepEqual(got, table) {
			t.Fatalf("%+v became %+v, %v", table, got, err)
		}
	})
}
