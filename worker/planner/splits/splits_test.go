package splits_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/planner/splits"
)

func object(key string, size int64, codec string) plan.Object {
	return plan.Object{Root: "mem://x", Key: key, Size: size, Codec: codec}
}

// TestEveryByteOnce verifies on random inputs that every byte of every object
// is in exactly one section of one split, and that splits are neither much
// larger than requested nor needlessly small.
func TestEveryByteOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		target := 1 + r.Int64N(1000)
		var inputs []splits.Input
		for range 1 + r.IntN(3) {
			var in splits.Input
			for i := range r.IntN(50) {
				codec := ""
				if r.IntN(5) == 0 {
					codec = "gzip"
				}
				in.Objects = append(in.Objects, object(fmt.Sprint(i), r.Int64N(3000), codec))
			}
			inputs = append(inputs, in)
		}
		got, err := splits.Plan(inputs, target)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[string]int64{}
		for i, s := range got {
			if len(s.Sections) == 0 {
				t.Fatalf("seed %d: split %d is empty", seed, i)
			}
			if len(s.Sections) > 1 && s.Bytes() > target+target/8 {
				t.Fatalf("seed %d: split %d packs %d bytes, target %d", seed, i, s.Bytes(), target)
			}
			for _, sec := range s.Sections {
				key := fmt.Sprint(s.Input, "/", sec.Object.Key)
				if sec.Offset != ends[key] {
					t.Fatalf("seed %d: %s continues at %d, not %d", seed, key, sec.Offset, ends[key])
				}
				if sec.Object.Codec == "" && sec.Length > target+target/8+1 {
					t.Fatalf("seed %d: a section of %d bytes, target %d", seed, sec.Length, target)
				}
				ends[key] = sec.Offset + sec.Length
			}
		}
		for i, in := range inputs {
			for _, o := range in.Objects {
				if end := ends[fmt.Sprint(i, "/", o.Key)]; end != o.Size {
					t.Fatalf("seed %d: %d of %d bytes of %s", seed, end, o.Size, o.Key)
				}
			}
		}
	}
}

func TestSmallObjectsArePacked(t *testing.T) {
	t.Parallel()
	var in splits.Input
	for i := range 1000 {
		in.Objects = append(in.Objects, object(fmt.Sprint(i), 10, ""))
	}
	got, err := splits.Plan([]splits.Input{in}, 1000)
	if err != nil || len(got) > 11 {
		t.Errorf("1,000 objects of 10 bytes became %d splits of 1,000 bytes, %v", len(got), err)
	}
}

func TestCompressedObjectsAreWhole(t *testing.T) {
	t.Parallel()
	in := splits.Input{Objects: []plan.Object{object("a.gz", 5000, "gzip"), object("empty.gz", 0, "gzip"), object("empty", 0, "")}}
	got, err := splits.Plan([]splits.Input{in}, 1000)
	if err != nil || len(got) != 2 || got[0].Bytes() != 5000 || got[1].Sections[0].Object.Key != "empty.gz" {
		t.Errorf("got %+v, %v; want a.gz whole, and empty.gz, whose reader will say that it is truncated", got, err)
	}
}

// TestPartsOfCompressedObjects verifies that a compressed object is divided if
// it can be read from within and is larger than a split.
func TestPartsOfCompressedObjects(t *testing.T) {
	t.Parallel()
	in := splits.Input{
		Objects: []plan.Object{object("a.bz2", 1000, "bzip2"), object("b", 900, "auto"), object("c.bz2", 110, "bzip2"), object("d.bz2", 0, "bzip2")},
		Parts:   func(o plan.Object, target int64) ([]plan.Section, error) { return splits.Ranges(o, target), nil },
	}
	got, err := splits.Plan([]splits.Input{in}, 100)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]int{}
	for _, split := range got {
		for _, s := range split.Sections {
			parts[s.Object.Key]++
			if s.Part() != (s.Object.Key == "a.bz2") {
				t.Errorf("section at %d of %s: part %v", s.Offset, s.Object.Key, s.Part())
			}
		}
	}
	if parts["a.bz2"] != 10 || parts["b"] != 1 || parts["c.bz2"] != 1 || parts["d.bz2"] != 1 {
		t.Errorf("sections %v", parts)
	}
}

// TestFrames divides seekable objects with random frames, some of them empty.
func TestFrames(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		frames := []splits.Frame{{}}
		most := int64(0)
		for range 1 + r.IntN(40) {
			last, size := frames[len(frames)-1], 10+r.Int64N(300)
			frames = append(frames, splits.Frame{Offset: last.Offset + size, Plain: last.Plain + r.Int64N(3)*size})
			most = max(most, size)
		}
		end := frames[len(frames)-1]
		o, target := object("x.zst", end.Offset+100, "zstd"), 1+r.Int64N(1000)
		sections := splits.Frames(o, target, frames)
		if end.Plain == 0 && len(sections) == 1 && !sections[0].Part() {
			continue
		}
		var at, plain int64
		for i, s := range sections {
			if s.Offset != at || s.PlainOffset != plain || s.PlainLength == 0 {
				t.Fatalf("seed %d: section %d is %+v, the one before ends at %d and %d", seed, i, s, at, plain)
			}
			if !slices.Contains(frames, splits.Frame{Offset: s.Offset, Plain: s.PlainOffset}) {
				t.Fatalf("seed %d: no frame begins at %d", seed, s.Offset)
			}
			at, plain = at+s.Length, plain+s.PlainLength
		}
		if at != o.Size || plain != end.Plain {
			t.Fatalf("seed %d: the sections end at %d of %d and %d of %d", seed, at, o.Size, plain, end.Plain)
		}
		if want := end.Offset / (target + 4*most); int64(len(sections)) < want {
			t.Errorf("seed %d: %d sections of %d bytes, target %d", seed, len(sections), end.Offset, target)
		}
	}
}

// TestWrongCut verifies that a format that leaves bytes out is refused.
func TestWrongCut(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]splits.Cut{
		"gap": func(o plan.Object, _ int64) ([]plan.Section, error) {
			return []plan.Section{{Object: o, Length: 10}, {Object: o, Offset: 20, Length: 80}}, nil
		},
		"short": func(o plan.Object, _ int64) ([]plan.Section, error) {
			return []plan.Section{{Object: o, Length: 10}}, nil
		},
		"error": func(plan.Object, int64) ([]plan.Section, error) { return nil, errors.New("no header") },
	} {
		in := splits.Input{Objects: []plan.Object{object("data", 100, "")}, Cut: cut}
		if _, err := splits.Plan([]splits.Input{in}, 50); err == nil || !strings.Contains(err.Error(), "mem://x/data") {
			t.Errorf("%s: error %v does not name the object", name, err)
		}
	}
}

// TestSampleIsSpread verifies that a sample covers the beginning, the middle
// and the end of the input.
func TestSampleIsSpread(t *testing.T) {
	t.Parallel()
	in := splits.Input{Objects: []plan.Object{object("big", 1<<20, ""), object("small", 1000, "")}}
	got, err := splits.Sample([]splits.Input{in, {}, in}, 16, 1000)
	if err != nil || len(got) != 2 || got[1].Input != 2 {
		t.Fatalf("got %d splits, %v; want one for each input with objects", len(got), err)
	}
	var n int
	for _, s := range got {
		n += len(s.Sections)
		if first, last := s.Sections[0], s.Sections[len(s.Sections)-1]; first.Offset > 1<<18 || last.Offset < 1<<19 && last.Object.Key == "big" {
			t.Errorf("the sample reaches from %d to %d of %d bytes", first.Offset, last.Offset, 1<<20)
		}
	}
	if n != 16 {
		t.Errorf("%d sections, want 16", n)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes int64
		slots int
		want  int64
	}{{0, 2, 8 << 20}, {100 << 20, 2, 100 << 20 / 8}, {1 << 40, 8, 128 << 20}} {
		if got := splits.Target(c.bytes, c.slots); got != c.want {
			t.Errorf("Target(%d, %d) = %d, want %d", c.bytes, c.slots, got, c.want)
		}
	}
}
