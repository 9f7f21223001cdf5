package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/windrow-mr/windrow/plan"
)

// bgzfOf compresses texts as blocks of BGZF, by the standard library and the
// specification: each is a member of gzip whose extra field has its size less one.
func bgzfOf(t testing.TB, level int, texts ...string) []byte {
	t.Helper()
	var all []byte
	for _, text := range texts {
		var b bytes.Buffer
		w, err := stdgzip.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Extra = []byte{'B', 'C', 2, 0, 0, 0}
		io.WriteString(w, text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint16(b.Bytes()[16:], uint16(b.Len()-1))
		all = append(all, b.Bytes()...)
	}
	return append(all, BlockedEnd...)
}

func blocked(t testing.TB, texts ...string) []byte {
	t.Helper()
	return bgzfOf(t, stdgzip.DefaultCompression, texts...)
}

func membersAt(d *Decompressor, packed []byte, from, to int64) (part, follows []byte, err error) {
	p, err := d.OpenMembers(bytes.NewReader(packed[from:]), from, to, int64(len(packed)))
	if err != nil {
		return nil, nil, err
	}
	return own(p)
}

// someBlocks returns texts of up to n bytes.
func someBlocks(r *rand.Rand, blocks, n int) (texts []string) {
	for range blocks {
		texts = append(texts, words(r, r.IntN(n)))
	}
	return texts
}

// TestPartsOfMembersMakeTheWhole cuts objects in two at every byte, and in several at
// random.
func TestPartsOfMembersMakeTheWhole(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		texts := someBlocks(r, 5, 40)
		if seed == 3 {
			texts = someBlocks(r, 8, 60_000)
		}
		packed, want := blocked(t, texts...), strings.Join(texts, "")
		var all [][]int64
		if size := int64(len(packed)); size < 1000 {
			for cut := int64(1); cut < size; cut++ {
				all = append(all, []int64{0, cut, size}, slices.Compact([]int64{0, cut, min(cut+3, size), size}))
			}
		}
		for range 20 {
			all = append(all, cutAnywhere(r, len(packed), r.IntN(12)))
		}
		for _, cuts := range all {
			var got []byte
			for i := 1; i < len(cuts); i++ {
				part, follows, err := membersAt(new(Decompressor), packed, cuts[i-1], cuts[i])
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
}

// TestBlocksByChance cuts an object at every byte that holds a copy of another one in
// blocks that are stored without compression. Parts that cannot know which blocks count
// fail, and never give other bytes.
func TestBlocksByChance(t *testing.T) {
	t.Parallel()
	inner := string(blocked(t, "not\n", "these\n"))
	texts := []string{"one\n", inner + "\n", "two\n", inner}
	packed, want := bgzfOf(t, stdgzip.NoCompression, texts...), strings.Join(texts, "")
	if got, err := unpack(Gzip, bytes.NewReader(packed)); err != nil || string(got) != want {
		t.Fatalf("as a whole: %q, %v", got, err)
	}
	failed := 0
	for cut := int64(1); cut < int64(len(packed)); cut++ {
		first, _, err := membersAt(new(Decompressor), packed, 0, cut)
		second, _, secondErr := membersAt(new(Decompressor), packed, cut, int64(len(packed)))
		if err = errors.Join(err, secondErr); err != nil {
			failed++
			for _, says := range []string{"byte", fmt.Sprintf("--split-size of at least %d", len(packed))} {
				if !strings.Contains(err.Error(), says) {
					t.Fatalf("cut at byte %d: %v does not say %q", cut, err, says)
				}
			}
			continue
		}
		if got := string(first) + string(second); got != want {
			t.Fatalf("cut at byte %d: %q, want %q", cut, got, want)
		}
	}
	if failed == 0 || failed == len(packed)-1 {
		t.Errorf("%d of %d cuts fail", failed, len(packed))
	}
}

// TestDamagedMembersAreNeverSkipped damages every byte of an object in turn. Read in
// parts, some part fails, or nothing is different.
func TestDamagedMembersAreNeverSkipped(t *testing.T) {
	t.Parallel()
	texts := []string{"to be\n", "or not\n", "to be\n", "that is\n"}
	packed, want := blocked(t, texts...), strings.Join(texts, "")
	size := int64(len(packed))
	for at := range packed {
		damaged := bytes.Clone(packed)
		damaged[at] ^= 1 << (at % 8)
		var got []byte
		var failed error
		for i := range int64(4) {
			part, _, err := membersAt(new(Decompressor), damaged, size*i/4, size*(i+1)/4)
			failed, got = errors.Join(failed, err), append(got, part...)
		}
		if failed == nil && string(got) != want {
			t.Fatalf("with byte %d damaged the parts give %q", at, got)
		}
		if failed != nil && !strings.Contains(failed.Error(), "byte") {
			t.Errorf("the error %q names no place", failed)
		}
	}
}

// TestMembersThatAreCutShort cuts an object that is read in two parts, after every byte.
// Between two blocks the cut is not noticed: the block that marks the end is missing,
// which it also is in objects of some programs.
func TestMembersThatAreCutShort(t *testing.T) {
	t.Parallel()
	texts := []string{"one\n", "two\n", "three\n"}
	packed := blocked(t, texts...)
	ends := map[int]string{len(packed) - len(BlockedEnd): strings.Join(texts, "")}
	for i := range texts {
		ends[len(blocked(t, texts[:i]...))-len(BlockedEnd)] = strings.Join(texts[:i], "")
	}
	for end := 2; end < len(packed); end++ {
		half := int64(end+1) / 2
		first, _, err := membersAt(new(Decompressor), packed[:end], 0, half)
		second, _, _ := membersAt(new(Decompressor), packed[:end], half, int64(end))
		if want, whole := ends[end]; whole {
			if err != nil || string(first)+string(second) != want {
				t.Errorf("the blocks that end at byte %d: %q and %q, %v", end, first, second, err)
			}
			continue
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), fmt.Sprintf("ends at byte %d", end)) {
			t.Errorf("%d of %d bytes: %v", end, len(packed), err)
		}
	}
}

// TestPlacesOfMembersDoNotDependOnTheDivision compares the places of bytes in parts with
// those in the whole object.
func TestPlacesOfMembersDoNotDependOnTheDivision(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	texts := append([]string{"", "first\n"}, someBlocks(r, 12, 2000)...)
	packed := blocked(t, texts...)
	places := func(from, to int64) (all []int64) {
		p, err := new(Decompressor).OpenMembers(bytes.NewReader(packed[from:]), from, to, int64(len(packed)))
		if err != nil {
			t.Fatal(err)
		}
		part, _, err := own(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range part {
			all = append(all, p.Place(int64(i)))
		}
		return all
	}
	size := int64(len(packed))
	want := places(0, size)
	if !slices.IsSorted(want) || len(slices.Compact(slices.Clone(want))) != len(strings.Join(texts, "")) {
		t.Fatal("places are not in order, or two are the same")
	}
	for range 20 {
		cuts := cutAnywhere(r, len(packed), 5)
		var got []int64
		for i := 1; i < len(cuts); i++ {
			got = append(got, places(cuts[i-1], cuts[i])...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("cut at %v: %d places, want %d", cuts, len(got), len(want))
		}
	}
	// The third block follows one that is empty, and one of six bytes.
	third := len(blocked(t, "", "first\n")) - len(BlockedEnd)
	if block, offset := plan.SplitPlace(want[len("first\n")+3]); block != int64(third) || offset != 3 {
		t.Errorf("byte 3 of the block at byte %d is byte %d of the block at byte %d", third, offset, block)
	}
	packed = blocked(t, "offsets")
	if got := places(0, int64(len(packed))); got[5] != 5 {
		t.Errorf("in the first block places are offsets, and the sixth is %d", got[5])
	}
}

// TestMembersThatAreNoBlocks: an object that begins with blocks may continue with other
// members of gzip. One task reads it; several could not find where members begin.
func TestMembersThatAreNoBlocks(t *testing.T) {
	t.Parallel()
	other := pack(t, Gzip, []byte("four\n"))
	packed := slices.Concat(blocked(t, "one\n", "two\n"), other, blocked(t, "three\n"), other)
	const want = "one\ntwo\nfour\nthree\nfour\n"
	if got, _, err := membersAt(new(Decompressor), packed, 0, int64(len(packed))); err != nil || string(got) != want {
		t.Errorf("as a whole: %q, %v", got, err)
	}
	for cut := int64(1); cut < int64(len(packed)); cut++ {
		_, _, err := membersAt(new(Decompressor), packed, 0, cut)
		_, _, secondErr := membersAt(new(Decompressor), packed, cut, int64(len(packed)))
		if err = errors.Join(err, secondErr); err == nil || !strings.Contains(err.Error(), "no block of BGZF") || !strings.Contains(err.Error(), "--split-size") {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
	}
}

// TestMembersWithPadding: zeros after the last block belong to the object, and nothing
// else does.
func TestMembersWithPadding(t *testing.T) {
	t.Parallel()
	end := blocked(t, "to be\n")
	for name, c := range map[string]struct {
		object []byte
		says   string // of the error
	}{
		"one zero":           {append(bytes.Clone(end), 0), ""},
		"many zeros":         {append(bytes.Clone(end), make([]byte, 200_000)...), ""},
		"zeros, then a byte": {slices.Concat(end, make([]byte, 70_000), []byte("x")), "zeros, and then 78"},
		"words":              {slices.Concat(end, []byte("words")), "followed by something else, which begins with 77 6f"},
		"half a header":      {slices.Concat(end, end[:3]), "cut short"},
	} {
		for _, cut := range []int{len(end) / 2, len(end), len(c.object) - 1} {
			first, _, err := membersAt(new(Decompressor), c.object, 0, int64(cut))
			second, _, secondErr := membersAt(new(Decompressor), c.object, int64(cut), int64(len(c.object)))
			err = errors.Join(err, secondErr)
			if got := string(first) + string(second); c.says == "" && (err != nil || got != "to be\n") {
				t.Errorf("%s, cut at byte %d: %q, %v", name, cut, got, err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s, cut at byte %d: %v, want %q", name, cut, err, c.says)
			}
		}
	}
}

// TestOtherHeadersAreNoBlocks: only the field "BC" makes a member a block, wherever it is
// among the others.
func TestOtherHeadersAreNoBlocks(t *testing.T) {
	t.Parallel()
	with := func(extra string, size func(int) int) []byte {
		var b bytes.Buffer
		w := stdgzip.NewWriter(&b)
		w.Extra = []byte(extra)
		io.WriteString(w, "text\n")
		w.Close()
		packed := b.Bytes()
		if i := bytes.Index(packed, []byte("BC\x02\x00")); i > 0 {
			binary.LittleEndian.PutUint16(packed[i+4:], uint16(size(len(packed))-1))
		}
		return packed
	}
	same := func(n int) int { return n }
	for extra, want := range map[string]bool{
		"BC\x02\x00\x00\x00": true, "AB\x03\x00xyzBC\x02\x00\x00\x00": true, "BC\x02\x00\x00\x00AB\x00\x00": true,
		"": false, "AB\x03\x00xyz": false, "BD\x02\x00\x00\x00": false, "BC\x01\x00\x00": false, "AB\xff\x00BC\x02\x00\x00\x00": false, "BC": false,
	} {
		packed := with(extra, same)
		if got := Blocked(packed); got != want {
			t.Errorf("with the extra fields %q: %v", extra, got)
		}
		if got, _, err := membersAt(new(Decompressor), packed, 0, int64(len(packed))); err != nil || string(got) != "text\n" {
			t.Errorf("with the extra fields %q: %q, %v", extra, got, err)
		}
	}
	for _, size := range []func(int) int{func(n int) int { return n - 1 }, func(n int) int { return n + 1 }, func(int) int { return 27 }} {
		lying := append(with("BC\x02\x00\x00\x00", size), BlockedEnd...)
		if got, _, err := membersAt(new(Decompressor), lying, 0, int64(len(lying)-1)); err == nil {
			t.Errorf("a block with a wrong size gives %q", got)
		}
	}
	if !Blocked([]byte(BlockedEnd)) || Blocked([]byte("\x1f\x8b\x08\x04")) || Blocked(nil) {
		t.Error("the end is a block, and half a header is none")
	}
}

// TestBombsOfMembers: limits hold for what comes out of all blocks, and of what follows
// them.
func TestBombsOfMembers(t *testing.T) {
	t.Parallel()
	block := bytes.TrimSuffix(blocked(t, strings.Repeat("a", longestMember)), []byte(BlockedEnd))
	bomb := bytes.Repeat(block, 1100)
	for name, l := range map[string]Limits{"--max-ratio": {Ratio: 100}, "--max-decompressed": {Size: 1 << 20}} {
		for what, object := range map[string][]byte{"blocks": bomb, "others": append(bytes.Clone(block), pack(t, Gzip, make([]byte, ratioFrom+1))...)} {
			d := Decompressor{Limits: l}
			if p, err := d.OpenMembers(bytes.NewReader(object), 0, int64(len(object)), int64(len(object))); err != nil {
				t.Error(err)
			} else if _, err := io.Copy(io.Discard, p); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: got %v, want an error that names %s", what, err, name)
			}
		}
	}
	long := blocked(t, strings.Repeat("a", longestMember+1), "b")
	if _, _, err := membersAt(new(Decompressor), long, 0, 20); err == nil || !strings.Contains(err.Error(), "size of the block") {
		t.Errorf("a block of more than 64 KiB: %v", err)
	}
}

// TestManySmallBlocksTakeNoMemory reads many blocks of a byte. Where blocks began that
// are over is forgotten.
//
// Not parallel: allocations are counted for the whole process.
func TestManySmallBlocksTakeNoMemory(t *testing.T) {
	block := bytes.TrimSuffix(blocked(t, "a"), []byte(BlockedEnd))
	packed := bytes.Repeat(block, 200_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := new(Decompressor).OpenMembers(bytes.NewReader(packed), 0, int64(len(packed)), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n := int64(0)
	for {
		got, err := p.Read(buf)
		if got > 0 {
			p.Forget(n)
			if place, want := p.Place(n), plan.Place(max(n*int64(len(block)), 4), 0); place != want {
				t.Fatalf("byte %d has the place %d, want %d", n, place, want)
			}
			n += int64(got)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; n != 200_000 || took > 2<<20 {
		t.Errorf("%d bytes take %d KiB", n, took>>10)
	}
}

func TestErrorsOfTheStoreComeThroughMembers(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk on fire")
	packed := blocked(t, someBlocks(rand.New(rand.NewPCG(1, 1)), 8, 60_000)...)
	for _, from := range []int64{0, 10} {
		for _, n := range []int64{0, 30, int64(len(packed)) / 2} {
			r := io.MultiReader(bytes.NewReader(packed[from:from+n]), iotest.ErrReader(errDisk))
			p, err := new(Decompressor).OpenMembers(r, from, int64(len(packed)), int64(len(packed)))
			if err == nil {
				_, _, err = own(p)
			}
			if !errors.Is(err, errDisk) {
				t.Errorf("from byte %d, after %d more: %v", from, n, err)
			}
		}
	}
}

// FuzzMembers: two parts that are read without an error hold the bytes that the standard
// library reads, and take little memory.
func FuzzMembers(f *testing.F) {
	f.Add(blocked(f, "one\n", "two\n"), uint16(20))
	f.Add(bgzfOf(f, stdgzip.NoCompression, string(blocked(f, "inner\n")), "outer\n"), uint16(60))
	f.Add(append(blocked(f, "one\n"), pack(f, Gzip, []byte("two\n"))...), uint16(30))
	f.Add(append(blocked(f, ""), 0, 0, 0), uint16(5))
	f.Fuzz(func(t *testing.T, packed []byte, cut uint16) {
		if len(packed) < 2 || len(packed) > 1<<16 {
			return
		}
		at, size := 1+int64(cut)%int64(len(packed)-1), int64(len(packed))
		d := Decompressor{Limits: Limits{Size: 4 << 20}}
		first, follows, err := membersAt(&d, packed, 0, at)
		second, _, secondErr := membersAt(&d, packed, at, size)
		whole, _, wholeErr := membersAt(&d, packed, 0, size)
		want, wantErr := unpack(Gzip, bytes.NewReader(packed))
		if wholeErr == nil && (wantErr != nil || !bytes.Equal(whole, want)) {
			t.Errorf("the whole has %d bytes, want %d and %v", len(whole), len(want), wantErr)
		}
		if err != nil || secondErr != nil {
			return
		}
		if !bytes.Equal(second, follows) {
			t.Errorf("after the first part come %d bytes, the second part has %d", len(follows), len(second))
		}
		if wantErr != nil || !bytes.Equal(want, append(first, second...)) {
			t.Errorf("%d and %d bytes, want %d and %v", len(first), len(second), len(want), wantErr)
		}
	})
}
