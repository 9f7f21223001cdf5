package compress

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	dsnet "github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/zstd"

	"github.com/windrow-mr/windrow/plan"
)

// bzip2Of compresses texts as streams that follow each other.
func bzip2Of(t testing.TB, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		w, err := dsnet.NewWriter(&b, &dsnet.WriterConfig{Level: 1})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// own returns the bytes of a part, and the bytes after it.
func own(p Part) (part, follows []byte, err error) {
	buf := make([]byte, 1000)
	for {
		n, err := p.Read(buf)
		if p.Past() {
			follows = append(follows, buf[:n]...)
		} else {
			part = append(part, buf[:n]...)
		}
		switch {
		case errors.Is(err, io.EOF):
			return part, follows, p.Close()
		case err != nil:
			return part, follows, errors.Join(err, p.Close())
		}
	}
}

func blocksAt(d *Decompressor, packed []byte, from, to int64) (part, follows []byte, err error) {
	p, err := d.OpenBlocks(bytes.NewReader(packed[from:]), from, to)
	if err != nil {
		return nil, nil, err
	}
	return own(p)
}

// cutAnywhere returns places to cut an object at, in order, with its ends.
func cutAnywhere(r *rand.Rand, size, n int) []int64 {
	cuts := []int64{0, int64(size)}
	for range n {
		cuts = append(cuts, 1+r.Int64N(int64(size-1)))
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

func words(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString([]string{"hay", "windrow", "rake", "field", "sun"}[r.IntN(5)])
		b.WriteByte(" \n"[r.IntN(2)])
	}
	return b.String()[:n]
}

func TestPartsOfBlocksMakeTheWhole(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		r := rand.New(rand.NewPCG(seed, 1))
		var texts []string
		for range 1 + r.IntN(5) {
			texts = append(texts, words(r, r.IntN(3)*r.IntN(100_000)))
		}
		packed, want := bzip2Of(t, texts...), strings.Join(texts, "")
		cuts := cutAnywhere(r, len(packed), r.IntN(6))
		var got []byte
		for i := 1; i < len(cuts); i++ {
			part, follows, err := blocksAt(new(Decompressor), packed, cuts[i-1], cuts[i])
			if err != nil {
				t.Fatalf("seed %d: bytes %d to %d of %d: %v", seed, cuts[i-1], cuts[i], len(packed), err)
			}
			got = append(got, part...)
			if len(part) > 0 && string(follows) != want[len(got):] {
				t.Fatalf("seed %d: after bytes %d to %d of %d come %d bytes, want the rest, %d", seed, cuts[i-1], cuts[i], len(packed), len(follows), len(want)-len(got))
			}
		}
		if string(got) != want {
			t.Fatalf("seed %d, cut at %d: %d bytes, want %d", seed, cuts, len(got), len(want))
		}
	}
}

// holdingMarks returns a text whose characters are such that the table of them,
// at the head of each block, reads as marks of blocks.
func holdingMarks(n int) string {
	var chars []byte
	for i, magic := range []uint64{blockMagic, finalMagic, blockMagic} {
		for bit := range magicBits {
			if magic>>(magicBits-1-bit)&1 == 1 {
				chars = append(chars, byte(16+i*64+bit))
			}
		}
		chars = append(chars, byte(64+i*64)) // one of the characters between them
	}
	chars = append(chars, '\n')
	var b strings.Builder
	for i := range n {
		b.WriteByte(chars[(i*7919+i/13)%len(chars)])
	}
	return b.String()
}

// TestMarksByChance cuts an object whose blocks hold marks by chance, at every
// byte around those marks.
func TestMarksByChance(t *testing.T) {
	t.Parallel()
	text := holdingMarks(3000)
	packed := bzip2Of(t, text, text[:2000])
	in := bits{r: bytes.NewReader(packed)}
	if _, err := in.have(int64(len(packed)+1) * 8); err != nil {
		t.Fatal(err)
	}
	marks := 0
	for from := int64(0); ; marks++ {
		place, ok := in.find(from)
		if !ok {
			break
		}
		from = place + 1
	}
	if marks != 2*(2+3) {
		t.Fatalf("the object has %d marks, want two blocks' and three by chance in each", marks)
	}
	for cut := int64(1); cut < 40; cut++ {
		cuts := []int64{0, cut, cut + 4, int64(len(packed))}
		var got strings.Builder
		for i := range 3 {
			part, _, err := blocksAt(new(Decompressor), packed, cuts[i], cuts[i+1])
			if err != nil {
				t.Fatalf("bytes %d to %d: %v", cuts[i], cuts[i+1], err)
			}
			got.Write(part)
		}
		if got.String() != text+text[:2000] {
			t.Fatalf("cut at bytes %v: %d bytes", cuts, got.Len())
		}
	}
}

// TestTheChecksumOfAStream changes the checksum, and none of the stream's
// blocks.
func TestTheChecksumOfAStream(t *testing.T) {
	t.Parallel()
	first := bzip2Of(t, "one\n")
	packed := bzip2Of(t, "one\n", "two\n")
	packed[len(first)-2] ^= 1
	if _, _, err := blocksAt(new(Decompressor), packed, 0, int64(len(packed))); err == nil || !strings.Contains(err.Error(), "checksum of the stream") {
		t.Errorf("got %v", err)
	}
}

// TestDamageIsNeverSkipped damages every byte of an object in turn. Read in
// parts, some part fails, or nothing is different. Parts stop, as tasks do, at
// the first byte after them.
func TestDamageIsNeverSkipped(t *testing.T) {
	t.Parallel()
	var texts []string
	for i := range 4 {
		texts = append(texts, fmt.Sprintf("text %d\n", i))
	}
	want := strings.Join(texts, "")
	packed := bzip2Of(t, texts...)
	size := int64(len(packed))
	for at := range packed {
		damaged := bytes.Clone(packed)
		damaged[at] ^= 1 << (at % 8)
		var got []byte
		var failed error
		for i := range int64(4) {
			from, to := size*i/4, size*(i+1)/4
			p, err := new(Decompressor).OpenBlocks(bytes.NewReader(damaged[from:]), from, to)
			for err == nil {
				buf := make([]byte, 100)
				var n int
				n, err = p.Read(buf)
				if n > 0 && p.Past() {
					break
				}
				got = append(got, buf[:n]...)
			}
			if err != nil && !errors.Is(err, io.EOF) {
				failed = err
			}
		}
		if failed == nil && string(got) != want {
			t.Fatalf("with byte %d damaged the parts give %q", at, got)
		}
		if failed != nil && !strings.Contains(failed.Error(), "byte") {
			t.Errorf("the error %q names no place", failed)
		}
	}
}

// TestPartsThatAreCutShort cuts an object that is read in two parts.
func TestPartsThatAreCutShort(t *testing.T) {
	t.Parallel()
	packed := bzip2Of(t, "one\n", "two\n", "three\n")
	ends := []int{len(bzip2Of(t, "one\n")), len(bzip2Of(t, "one\n", "two\n"))}
	for end := 1; end < len(packed); end++ {
		half := int64(end+1) / 2
		_, _, err := blocksAt(new(Decompressor), packed[:end], 0, half)
		if slices.Contains(ends, end) {
			if err != nil {
				t.Errorf("the streams that end at byte %d: %v", end, err)
			}
			continue
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), fmt.Sprintf("byte %d", end)) {
			t.Errorf("%d of %d bytes: %v", end, len(packed), err)
		}
	}
}

func TestPlacesDoNotDependOnTheDivision(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	packed := bzip2Of(t, words(r, 350_000), words(r, 200_000))
	whole, err := new(Decompressor).OpenBlocks(bytes.NewReader(packed), 0, int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, whole)
	if err != nil {
		t.Fatal(err)
	}
	var places []int64
	for i := range n {
		places = append(places, whole.Place(i))
	}
	if !slices.IsSorted(places) || len(slices.Compact(slices.Clone(places))) != len(places) || places[70_000] != 70_000 {
		t.Fatal("places are not in order, or not offsets in the first block")
	}
	var got []int64
	for i := range int64(3) {
		from, to := int64(len(packed))*i/3, int64(len(packed))*(i+1)/3
		p, err := new(Decompressor).OpenBlocks(bytes.NewReader(packed[from:]), from, to)
		if err != nil {
			t.Fatal(err)
		}
		part, _, err := own(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range part {
			got = append(got, p.Place(int64(i)))
		}
	}
	if !slices.Equal(got, places) {
		t.Errorf("places of %d bytes, want those of %d", len(got), len(places))
	}
	if block, offset := plan.SplitPlace(places[len(places)-1]); offset >= 100_000 || string(packed[block:block+2]) == "" || block < int64(len(packed)/2) {
		t.Errorf("the last byte is byte %d of the block at byte %d", offset, block)
	}
}

// TestBlocksOfRuns reads blocks that decompress to far more than heldBlock.
func TestBlocksOfRuns(t *testing.T) {
	t.Parallel()
	want := strings.Repeat("a", 3*heldBlock) + "\n" + strings.Repeat("b", heldBlock)
	packed := bzip2Of(t, want, "end")
	part, follows, err := blocksAt(new(Decompressor), packed, 0, 10)
	if err != nil || string(part) != want || string(follows) != "end" {
		t.Errorf("%d and %d bytes, %v", len(part), len(follows), err)
	}
	d := Decompressor{Limits: Limits{Size: heldBlock}}
	if _, _, err := blocksAt(&d, packed, 0, 10); !errors.Is(err, ErrLimit) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestErrorsOfTheStoreComeThroughParts(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk on fire")
	packed := bzip2Of(t, words(rand.New(rand.NewPCG(1, 1)), 400_000))
	for _, from := range []int64{0, 10} {
		for _, n := range []int64{0, 30, int64(len(packed)) / 2} {
			r := io.MultiReader(bytes.NewReader(packed[from:from+n]), iotest.ErrReader(errDisk))
			p, err := new(Decompressor).OpenBlocks(r, from, int64(len(packed)))
			if err == nil {
				_, _, err = own(p)
			}
			if !errors.Is(err, errDisk) {
				t.Errorf("from byte %d, after %d more: %v", from, n, err)
			}
		}
	}
}

// seekable writes frames and a seek table, by the format's description.
func seekable(t testing.TB, checksums bool, texts ...string) ([]byte, SeekTable) {
	t.Helper()
	var out, entries []byte
	table := SeekTable{{}}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		t.Fatal(err)
	}
	flags := byte(0)
	if checksums {
		flags = 0x80
	}
	for _, text := range texts {
		frame := w.EncodeAll([]byte(text), nil)
		out = append(out, frame...)
		entries = binary.LittleEndian.AppendUint32(entries, uint32(len(frame)))
		entries = binary.LittleEndian.AppendUint32(entries, uint32(len(text)))
		if checksums {
			entries = append(entries, 1, 2, 3, 4)
		}
		last := table[len(table)-1]
		table = append(table, Frame{last.Offset + int64(len(frame)), last.Plain + int64(len(text))})
	}
	out = binary.LittleEndian.AppendUint32(out, 0x184d2a5e)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(entries)+9))
	out = append(out, entries...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(texts)))
	out = append(out, flags)
	return binary.LittleEndian.AppendUint32(out, 0x8f92eab1), table
}

func TestSeekTable(t *testing.T) {
	t.Parallel()
	for _, checksums := range []bool{false, true} {
		packed, want := seekable(t, checksums, "one\n", "", "two\nthree")
		size := int64(len(packed))
		n := SeekTableSize(packed[len(packed)-9:], size)
		if n != size-want[3].Offset {
			t.Errorf("the table has %d bytes, want %d", n, size-want[3].Offset)
		}
		if got := ReadSeekTable(packed[size-n:], size); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got, err := unpack(Zstd, bytes.NewReader(packed)); err != nil || string(got) != "one\ntwo\nthree" {
			t.Errorf("as a whole: %q, %v", got, err)
		}
		for name, bad := range map[string][]byte{
			"behind another object": append(pack(t, Zstd, sample(100)), packed...),
			"followed by another":   append(bytes.Clone(packed), pack(t, Zstd, sample(100))...),
			"reserved bit":          flipped(packed, len(packed)-5, 0x04),
			"magic":                 flipped(packed, len(packed)-1, 1),
			"count":                 flipped(packed, len(packed)-9, 1),
			"many":                  flipped(packed, len(packed)-6, 0x80),
			"size":                  flipped(packed, int(want[3].Offset)+4, 1),
			"frame":                 flipped(packed, int(want[3].Offset)+8, 1),
			"short":                 packed[:5],
		} {
			if got := ReadSeekTable(bad, int64(len(bad))); got != nil {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
	if got := ReadSeekTable(nil, 0); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func flipped(b []byte, at int, bits byte) []byte {
	b = bytes.Clone(b)
	b[at] ^= bits
	return b
}

func framesAt(packed []byte, table SeekTable, i, j int) (Part, error) {
	to := table[j].Offset
	if j == len(table)-1 {
		to = int64(len(packed))
	}
	p := FramesPart{From: table[i].Offset, To: to, Plain: table[i].Plain, PlainLength: table[j].Plain - table[i].Plain}
	return new(Decompressor).OpenFrames(bytes.NewReader(packed[p.From:]), p)
}

func TestPartsOfFramesMakeTheWhole(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	for range 50 {
		var texts []string
		for range 1 + r.IntN(6) {
			texts = append(texts, words(r, r.IntN(3)*r.IntN(9000)))
		}
		packed, table := seekable(t, r.IntN(2) == 0, texts...)
		for i := range texts {
			for j := i + 1; j < len(table); j++ {
				p, err := framesAt(packed, table, i, j)
				if err != nil {
					t.Fatal(err)
				}
				part, follows, err := own(p)
				if err != nil || string(part) != strings.Join(texts[i:j], "") || string(follows) != strings.Join(texts[j:], "") {
					t.Fatalf("frames %d to %d of %d: %d and %d bytes, %v", i, j, len(texts), len(part), len(follows), err)
				}
				if got := p.Place(3); got != table[i].Plain+3 {
					t.Errorf("the place is %d", got)
				}
			}
		}
	}
}

// TestAWrongSeekTable reads by tables that are wrong.
func TestAWrongSeekTable(t *testing.T) {
	t.Parallel()
	packed, table := seekable(t, false, words(rand.New(rand.NewPCG(1, 1)), 5000), "two\n", "three\n")
	for name, c := range map[string]struct {
		from, to int
		change   func(SeekTable)
	}{
		"no frame there":          {1, 2, func(s SeekTable) { s[1].Offset++ }},
		"no frame follows there":  {0, 1, func(s SeekTable) { s[1].Offset-- }},
		"other decompressed size": {1, 2, func(s SeekTable) { s[2].Plain++ }},
	} {
		wrong := slices.Clone(table)
		c.change(wrong)
		p, err := framesAt(packed, wrong, c.from, c.to)
		if err == nil {
			_, _, err = own(p)
		}
		if err == nil || !strings.Contains(err.Error(), "seek table") && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add(bzip2Of(f, "one\n", "two\n"), uint16(20))
	f.Add(bzip2Of(f, holdingMarks(200)), uint16(10))
	f.Add(bzip2Of(f, ""), uint16(5))
	f.Fuzz(func(t *testing.T, packed []byte, cut uint16) {
		if len(packed) < 2 || len(packed) > 1<<16 {
			return
		}
		at := 1 + int64(cut)%int64(len(packed)-1)
		limits := Limits{Size: 4 << 20}
		first, follows, err := blocksAt(&Decompressor{Limits: limits}, packed, 0, at)
		second, _, secondErr := blocksAt(&Decompressor{Limits: limits}, packed, at, int64(len(packed)))
		if err != nil || secondErr != nil {
			return
		}
		if !bytes.Equal(second, follows) {
			t.Errorf("after the first part come %d bytes, the second part has %d", len(follows), len(second))
		}
		// Parts that are read without an error hold the bytes that the standard
		// library reads.
		want, err := io.ReadAll(stdbzip2.NewReader(bytes.NewReader(packed)))
		if err == nil && !bytes.Equal(want, append(first, second...)) {
			t.Errorf("%d and %d bytes, want %d", len(first), len(second), len(want))
		}
	})
}

func FuzzSeekTable(f *testing.F) {
	for _, checksums := range []bool{false, true} {
		packed, _ := seekable(f, checksums, "one\n", "", "two\nthree")
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		table := ReadSeekTable(packed, int64(len(packed)))
		for i := 1; i < len(table); i++ {
			if table[i].Offset < table[i-1].Offset || table[i].Plain < table[i-1].Plain || table[i].Offset > int64(len(packed)) {
				t.Fatalf("frame %d of %v", i, table)
			}
		}
		if len(table) < 2 {
			return
		}
		d := Decompressor{Limits: Limits{Size: 1 << 20, Window: MinWindow}}
		p := FramesPart{From: table[1].Offset, To: int64(len(packed)), Plain: table[1].Plain, PlainLength: table[len(table)-1].Plain - table[1].Plain}
		if part, err := d.OpenFrames(bytes.NewReader(packed[p.From:]), p); err == nil {
			if own, follows, err := own(part); err == nil && int64(len(own)+len(follows)) != p.PlainLength {
				t.Errorf("%d and %d bytes, the table says %d", len(own), len(follows), p.PlainLength)
			}
		}
	})
}

func BenchmarkBlocks(b *testing.B) {
	text := words(rand.New(rand.NewPCG(1, 1)), 8<<20)
	var packed bytes.Buffer
	w, err := dsnet.NewWriter(&packed, &dsnet.WriterConfig{Level: 9})
	if err != nil {
		b.Fatal(err)
	}
	io.WriteString(w, text)
	w.Close()
	for name, open := range map[string]func(io.Reader) (io.Reader, error){
		"parts": func(r io.Reader) (io.Reader, error) {
			return new(Decompressor).OpenBlocks(r, 0, int64(packed.Len()))
		},
		"whole": func(r io.Reader) (io.Reader, error) { return Bzip2.Reader(r) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := open(bytes.NewReader(packed.Bytes()))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
