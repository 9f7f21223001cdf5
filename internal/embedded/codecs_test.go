package embedded_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/store"
)

// packers compress texts, each as its own stream or frame.
var packers = map[string]func(t *testing.T, texts []string) []byte{
	"plain": func(_ *testing.T, texts []string) []byte { return []byte(strings.Join(texts, "")) },
	"gz": func(t *testing.T, texts []string) []byte {
		return streams(t, texts, func(b *bytes.Buffer) (writer, error) { return stdgzip.NewWriter(b), nil })
	},
	"lz4": func(t *testing.T, texts []string) []byte {
		return streams(t, texts, func(b *bytes.Buffer) (writer, error) { return lz4.NewWriter(b), nil })
	},
	"sz": func(t *testing.T, texts []string) []byte {
		return streams(t, texts, func(b *bytes.Buffer) (writer, error) {
			b.WriteString("\xff\x06\x00\x00sNaPpY") // the library writes nothing for no text
			return snappy.NewBufferedWriter(b), nil
		})
	},
	"bz2": func(t *testing.T, texts []string) []byte {
		return streams(t, texts, func(b *bytes.Buffer) (writer, error) {
			return bzip2.NewWriter(b, &bzip2.WriterConfig{Level: 1})
		})
	},
	"zst": func(t *testing.T, texts []string) []byte {
		return streams(t, texts, func(b *bytes.Buffer) (writer, error) {
			return zstd.NewWriter(b, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
		})
	},
	"seekable.zst": seekable,
	"bgz":          blocked,
}

// blocked writes blocks of BGZF, as the specification of SAM says.
func blocked(t *testing.T, texts []string) []byte {
	t.Helper()
	var all []byte
	for _, text := range texts {
		for piece := range slices.Chunk([]byte(text), 0xff00) {
			b := streams(t, []string{string(piece)}, func(b *bytes.Buffer) (writer, error) {
				w := stdgzip.NewWriter(b)
				w.Extra = []byte{'B', 'C', 2, 0, 0, 0}
				return w, nil
			})
			binary.LittleEndian.PutUint16(b[16:], uint16(len(b)-1))
			all = append(all, b...)
		}
	}
	return append(all, endOfBlocks...)
}

// endOfBlocks is the empty block at the end of BGZF.
const endOfBlocks = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

type writer interface {
	Write(p []byte) (int, error)
	Close() error
}

func streams(t *testing.T, texts []string, open func(*bytes.Buffer) (writer, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// seekable writes frames and a seek table, as the format's description says.
func seekable(t *testing.T, texts []string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		t.Fatal(err)
	}
	var out, table []byte
	for _, text := range texts {
		frame := w.EncodeAll([]byte(text), nil)
		out = append(out, frame...)
		table = binary.LittleEndian.AppendUint32(table, uint32(len(frame)))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(text)))
	}
	out = binary.LittleEndian.AppendUint32(out, 0x184d2a5e)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(table)+9))
	out = append(out, table...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(texts)))
	out = append(out, 0)
	return binary.LittleEndian.AppendUint32(out, 0x8f92eab1)
}

// put writes objects below mem://in, and returns options that read all of them.
func put(t *testing.T, objects map[string][]byte) embedded.Options {
	t.Helper()
	o := embedded.Options{Input: []string{"mem://in"}, Output: "mem://out", Slots: 2, Stores: store.Options{Mem: new(store.MemSpace)}}
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	for key, body := range objects {
		if err := root.Put(t.Context(), key, body, store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// located returns a job that writes each line with the offset where it begins.
func located() *jobs.Job {
	return jobs.Define("located", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			emit(fmt.Appendf(nil, "%d %s", ctx.Position().Offset, line))
			return nil
		}).Write(text.Lines{})
		return nil
	})
}

// randomLines returns a text of lines. Some are long, empty, or end in CR LF, and
// the last can have no end.
func randomLines(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(60) {
		n := r.IntN(20)
		switch r.IntN(8) {
		case 0:
			n = 0
		case 1:
			n = r.IntN(3000)
		}
		for range n {
			b.WriteByte("abc\r "[r.IntN(5)])
		}
		b.WriteString([]string{"\n", "\r\n", "\n", "\n\n"}[r.IntN(4)])
	}
	if r.IntN(2) == 0 {
		b.WriteString("no end")
	}
	return b.String()
}

// cutRandomly divides a text into pieces. Some can be empty, and some end just
// before or after a line feed.
func cutRandomly(r *rand.Rand, text string) []string {
	cuts := []int{0, len(text)}
	for range r.IntN(12) {
		cut := r.IntN(len(text) + 1)
		if end := strings.IndexByte(text[cut:], '\n'); end >= 0 && r.IntN(2) == 0 {
			cut += end + r.IntN(2)
		}
		cuts = append(cuts, cut)
	}
	slices.Sort(cuts)
	var pieces []string
	for i := 1; i < len(cuts); i++ {
		pieces = append(pieces, text[cuts[i-1]:cuts[i]])
	}
	return pieces
}

// linesOf splits a text by the rules that text.Lines documents.
func linesOf(text string) (lines []string, offsets []int) {
	for at := 0; at < len(text); {
		line, _, ended := strings.Cut(text[at:], "\n")
		lines, offsets = append(lines, line), append(offsets, at)
		at += len(line) + 1
		if ended {
			lines[len(lines)-1] = strings.TrimSuffix(line, "\r")
		}
	}
	return lines, offsets
}

// TestEveryLineOnce verifies, for random texts in every codec, divided into tasks
// of every size, that each line is read once, in order, with its place.
func TestEveryLineOnce(t *testing.T) {
	t.Parallel()
	for name, pack := range packers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			divided := 0
			for seed := range uint64(12) {
				r := rand.New(rand.NewPCG(seed, 7))
				whole := randomLines(r)
				body := pack(t, cutRandomly(r, whole))
				key := "object." + name
				if seed%3 == 0 {
					key = "object" // its first bytes show the codec
				}
				o := put(t, map[string][]byte{key: body})
				var records int64
				for _, o.SplitSize = range []int64{1 << 20, int64(len(body)/3 + 1), 1 + r.Int64N(60) + int64(len(body)/200)} {
					o.OnExists = "replace"
					result, err := embedded.Run(t.Context(), located(), o)
					if len(whole) == 0 && name == "plain" {
						continue // the input is empty
					}
					if err != nil {
						t.Fatalf("seed %d, splits of %d of %d bytes: %v", seed, o.SplitSize, len(body), err)
					}
					divided = max(divided, result.Maps)
					got, err := read(t, o)
					if err != nil {
						t.Fatal(err)
					}
					checkLocated(t, name, whole, got)
					if records == 0 {
						records = result.Tally.RecordsIn
					}
					if result.Tally.RecordsIn != records {
						t.Errorf("seed %d: %d records, then %d", seed, records, result.Tally.RecordsIn)
					}
				}
			}
			if can := name == "plain" || name == "bz2" || name == "bgz" || name == "seekable.zst"; can != (divided > 5) {
				t.Errorf("an object was read by %d tasks", divided)
			}
		})
	}
}

// checkLocated compares what located wrote with the lines of a text.
func checkLocated(t *testing.T, codec, whole, got string) {
	t.Helper()
	lines, offsets := linesOf(whole)
	last := int64(-1)
	for i, line := range lines {
		var found string
		found, got, _ = strings.Cut(got, "\n")
		found = strings.TrimSuffix(found, "\r")
		at, rest, _ := strings.Cut(found, " ")
		var place int64
		if _, err := fmt.Sscan(at, &place); err != nil || rest != line {
			t.Fatalf("line %d is %.60q at %q, want %.60q at byte %d", i, rest, at, line, offsets[i])
		}
		if inBlocks := codec == "bz2" || codec == "bgz"; !inBlocks && place != int64(offsets[i]) || place <= last {
			t.Fatalf("line %d, at byte %d, has the place %d, after a line at %d", i, offsets[i], place, last)
		}
		last = place
	}
	if got != "" {
		t.Fatalf("too many lines: %.100q", got)
	}
}

// TestPlacesInBlocks verifies that the places of lines do not depend on how an
// object is divided.
func TestPlacesInBlocks(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"bz2", "bgz"} {
		r := rand.New(rand.NewPCG(5, 5))
		o := put(t, map[string][]byte{"x." + codec: packers[codec](t, cutRandomly(r, randomLines(r)))})
		var first string
		for _, o.SplitSize = range []int64{1 << 20, 100, 333} {
			o.OnExists = "replace"
			if _, err := embedded.Run(t.Context(), located(), o); err != nil {
				t.Fatal(err)
			}
			got, err := read(t, o)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("%s: splits of %d bytes change the places", codec, o.SplitSize)
			}
		}
	}
}

// TestNamesAndFirstBytes verifies which objects are decompressed, in each mode.
func TestNamesAndFirstBytes(t *testing.T) {
	t.Parallel()
	gz, lz := packers["gz"](t, []string{"gz\n"}), packers["lz4"](t, []string{"lz4\n"})
	for name, c := range map[string]struct {
		objects    map[string][]byte
		decompress string
		want       string // lines, or a part of the error
		fails      bool
	}{
		"names":                 {map[string][]byte{"a.GZ": gz, "b.Lz4": lz}, "", "gz\nlz4\n", false},
		"first bytes":           {map[string][]byte{"a": gz, "b.log": lz, "c.txt": []byte("BZh9 plain\n")}, "auto", "gz\nlz4\nBZh9 plain\n", false},
		"none":                  {map[string][]byte{"a.gz": []byte("plain\n")}, "none", "plain\n", false},
		"all gzip":              {map[string][]byte{"a": gz, "b.lz4": gz}, "gzip", "gz\ngz\n", false},
		"gzip by name alone":    {map[string][]byte{"a.gz": []byte("plain\n")}, "", "mem://in/a.gz: byte 0 does not begin a gzip stream", true},
		"another codec by name": {map[string][]byte{"a.gz": lz}, "", "--decompress lz4", true},
		"nothing by name":       {map[string][]byte{"a.bz2": {}, "b": {}}, "", "mem://in/a.bz2: it is empty, and no bzip2 stream has 0 bytes", true},
		"cut short":             {map[string][]byte{"a": gz[:len(gz)-3]}, "", fmt.Sprintf("mem://in/a: gzip stream is cut short: it ends at byte %d, after 3 decompressed", len(gz)-3), true},
		"unknown mode":          {map[string][]byte{"a": gz}, "rar", "bzip2", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, split := range []int64{1 << 20, 1} {
				o := put(t, c.objects)
				o.Decompress, o.SplitSize = c.decompress, split
				job := jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
					jobs.Read(p, text.Lines{}).Write(text.Lines{})
					return nil
				})
				_, err := embedded.Run(t.Context(), job, o)
				if c.fails {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("got %v, want %q", err, c.want)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if got, err := read(t, o); err != nil || got != c.want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
}

// TestBinaryRecordsAreNotGuessed verifies that records that begin like gzip are not
// decompressed.
func TestBinaryRecordsAreNotGuessed(t *testing.T) {
	t.Parallel()
	job := jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, fixed.Records{Size: 4}).Write(fixed.Records{Size: 4})
		return nil
	})
	const records = "\x1f\x8b\x08\x00abcd"
	o := put(t, map[string][]byte{"a.dat": []byte(records), "b.dat.bz2": packers["bz2"](t, []string{"wxyz"})})
	o.SplitSize = 4
	if _, err := embedded.Run(t.Context(), job, o); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, o); err != nil || got != records+"wxyz" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestMarkedErrors verifies that an error names the place of the line, in a part of
// an object, that a function refuses or that is too long.
func TestMarkedErrors(t *testing.T) {
	t.Parallel()
	pieces := []string{strings.Repeat("fine\n", 100), "fine\nbad\n", strings.Repeat("fine\n", 100)}
	fails := jobs.Define("fails", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, text.Lines{Max: 100}), func(_ *jobs.Context, line []byte, _ func([]byte)) error {
			if string(line) == "bad" {
				return errors.New("do not like it")
			}
			return nil
		}).Write(text.Lines{})
		return nil
	})
	for name, want := range map[string]string{
		"seekable.zst": "byte 505 of mem://in/x.seekable.zst",
		"bz2":          fmt.Sprintf("byte 5 of the decompressed block at byte %d of mem://in/x.bz2", len(packers["bz2"](t, pieces[:1]))+4),
		"bgz":          fmt.Sprintf("byte 5 of the decompressed block at byte %d of mem://in/x.bgz", len(packers["bgz"](t, pieces[:1]))-len(endOfBlocks)),
	} {
		o := put(t, map[string][]byte{"x." + name: packers[name](t, pieces)})
		o.SplitSize = 30
		if _, err := embedded.Run(t.Context(), fails, o); err == nil || !strings.Contains(err.Error(), "the record at "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if name != "bz2" {
			continue // once is enough: the task is tried several times
		}
		long := []string{pieces[0], "fine\n" + strings.Repeat("x", 101) + "\n", pieces[2]}
		o = put(t, map[string][]byte{"x." + name: packers[name](t, long)})
		o.SplitSize = 30
		if _, err := embedded.Run(t.Context(), fails, o); err == nil || !strings.Contains(err.Error(), "the line at "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestCapsAgainstBombs verifies that a job fails when input decompresses to more
// than the limits.
func TestCapsAgainstBombs(t *testing.T) {
	t.Parallel()
	bomb := strings.Repeat(strings.Repeat("a", 99)+"\n", 800_000)
	body := packers["zst"](t, []string{bomb})
	count := jobs.New("count", func(_ *jobs.Context, _ []byte, emit jobs.Emit[string, int64]) error {
		emit("lines", 1)
		return nil
	}, jobs.Sum[int64])
	for name, c := range map[string]struct {
		change func(*embedded.Options)
		want   string
	}{
		"by default":     {func(*embedded.Options) {}, "--max-ratio"},
		"any ratio":      {func(o *embedded.Options) { o.MaxRatio = -1 }, ""},
		"a large ratio":  {func(o *embedded.Options) { o.MaxRatio = 1 << 30 }, ""},
		"size":           {func(o *embedded.Options) { o.MaxDecompressed = 1 << 20 }, "--max-decompressed"},
		"size, negative": {func(o *embedded.Options) { o.MaxDecompressed = -1 }, "negative"},
	} {
		o := put(t, map[string][]byte{"bomb": body})
		c.change(&o)
		_, err := embedded.Run(t.Context(), count, o)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v", name, err)
		case c.want != "" && c.want != "negative" && !strings.Contains(err.Error(), "mem://in/bomb"):
			t.Errorf("%s: %v does not name the object", name, err)
		}
	}
	o := put(t, map[string][]byte{"x.zst": seekable(t, []string{"one\n", "two\n"})})
	o.SplitSize, o.MaxDecompressed = 10, 7
	if _, err := embedded.Run(t.Context(), count, o); err == nil || !strings.Contains(err.Error(), "8 bytes come out") {
		t.Errorf("by the seek table: %v", err)
	}
}

// TestWholeObjectsAreReported verifies that a run warns of objects that one task
// must read whole.
func TestWholeObjectsAreReported(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	pieces := []string{randomLines(r), randomLines(r), randomLines(r)}
	for name, warns := range map[string]bool{"gz": true, "zst": true, "lz4": true, "seekable.zst": false, "bz2": false, "bgz": false, "plain": false} {
		var log bytes.Buffer
		o := put(t, map[string][]byte{"x": packers[name](t, pieces)})
		o.SplitSize, o.Log = 100, slog.New(slog.NewTextHandler(&log, nil))
		if _, err := embedded.Run(t.Context(), located(), o); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "each read by one task"); got != warns {
			t.Errorf("%s: %s", name, log.String())
		}
	}
}

// TestAMissingEndIsReported: an object in BGZF without the empty block at its end may have
// been cut short between two blocks. It is read, and a run warns of it.
func TestAMissingEndIsReported(t *testing.T) {
	t.Parallel()
	whole := packers["bgz"](t, []string{"one\n", "two\n", "three\n"})
	for name, c := range map[string]struct {
		body  []byte
		warns bool
	}{"whole": {whole, false}, "cut": {whole[:len(whole)-len(endOfBlocks)], true}} {
		var log bytes.Buffer
		o := put(t, map[string][]byte{"x.gz": c.body})
		o.SplitSize, o.Log = 50, slog.New(slog.NewTextHandler(&log, nil))
		if _, err := embedded.Run(t.Context(), located(), o); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "lack the empty block") && strings.Contains(log.String(), "mem://in/x.gz"); got != c.warns {
			t.Errorf("%s: %s", name, log.String())
		}
		if got, err := read(t, o); err != nil || strings.Count(got, "\n") != 3 {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// TestSmallObjectsCostNoMore verifies that a job makes no more requests when it
// recognizes the codec of objects by their first bytes.
func TestSmallObjectsCostNoMore(t *testing.T) {
	t.Parallel()
	objects := map[string][]byte{}
	for i := range 50 {
		objects[fmt.Sprintf("%02d", i)] = packers["gz"](t, []string{"line\n"})
	}
	var gets int64
	for _, mode := range []string{"gzip", "auto"} {
		o := put(t, objects)
		o.Decompress = mode
		r, err := embedded.Run(t.Context(), located(), o)
		if err != nil || r.Tally.RecordsIn != 50 {
			t.Fatal(r, err)
		}
		if mode == "gzip" {
			gets = r.Usage.Gets
		}
		if r.Usage.Gets > gets+10 { // the number of reads of the output's log varies
			t.Errorf("%d reads to find the codecs of 50 objects", r.Usage.Gets-gets)
		}
	}
}
