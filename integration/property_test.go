package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	engine "github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// seed replays one case of TestAnyConfiguration.
var seed = flag.Uint64("seed", 0, "run only the case of this seed")

// configurations is the number of cases of each job.
const configurations = 30

// problem is an input with the output that a job must make of it.
type problem struct {
	objects []string // their bytes
	params  map[string]string
	want    []byte // all parts put together; after sorting their lines unless ordered
	ordered bool
	clean   func(string) string // removes from the output what depends on the case; nil: nothing
}

// problems make, for every job of the library, an input that suits it and the
// answer, which a plain sequential program finds.
var problems = map[string]func(r *rand.Rand) problem{
	"compact":      compactProblem,
	"distinct":     distinctProblem,
	"grep":         grepProblem,
	"index":        indexProblem,
	"measurements": measurementsProblem,
	"sort":         sortProblem,
	"teragen":      teragenProblem,
	"terasort":     terasortProblem,
	"teravalidate": teravalidateProblem,
	"wordcount":    wordcountProblem,
}

// TestAnyConfiguration verifies that the output of a job depends on its input
// alone: not on how that is divided, compressed or listed, nor on partitions,
// slots, memory, spills, or the place of temporary data.
func TestAnyConfiguration(t *testing.T) {
	t.Parallel()
	for _, job := range library.All() {
		t.Run(job.Name(), func(t *testing.T) {
			t.Parallel()
			generate := problems[job.Name()]
			if generate == nil {
				t.Fatalf("job %s has no problem: add one to problems", job.Name())
			}
			first, last := uint64(1), uint64(configurations/oneIn)
			if *seed != 0 {
				first, last = *seed, *seed
			}
			for s := first; s <= last; s++ {
				if err := solve(t.Context(), job, generate, s); err != nil {
					t.Errorf("%v\nreplay: go test ./integration -run '^TestAnyConfiguration$/^%s$' -seed=%d", err, job.Name(), s)
				}
			}
		})
	}
}

// solve runs a job on the problem of a seed and compares.
func solve(ctx context.Context, job *jobs.Job, generate func(*rand.Rand) problem, seed uint64) error {
	name := fnv.New64a()
	io.WriteString(name, job.Name()) // a hash takes everything
	r := rand.New(rand.NewPCG(seed, name.Sum64()))
	p := generate(r)
	space := new(store.MemSpace)
	o, hard, err := configure(ctx, r, &p, space)
	if err != nil {
		return err
	}
	if built, err := job.Build(p.params, nil); err != nil {
		return err
	} else if !built.Outputs[0].Compressible {
		o.Compress = "" // parts that are not text are refused
	}
	shown := fmt.Sprintf("input %q, split size %d, partitions %d, slots %d, memory %d, compress %q, root %q, spill every %d",
		o.Input, o.SplitSize, o.Partitions, o.Slots, o.Memory, o.Compress, o.Root, hard.Spill)
	result, err := engine.Run(pipeline.WithTrial(ctx, hard), job, o)
	if err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	got, err := unpackedParts(ctx, o.Output, o.Stores, result.Manifest.Parts)
	if err != nil {
		return fmt.Errorf("%s: read the output: %w", shown, err)
	}
	if p.clean != nil {
		got = []byte(p.clean(string(got)))
	}
	if !p.ordered {
		got = []byte(sorted(string(got)))
	}
	if err := firstDifference(got, p.want); err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	return nil
}

// configure writes the problem's objects and draws how to run the job.
func configure(ctx context.Context, r *rand.Rand, p *problem, space *store.MemSpace) (o engine.Options, hard pipeline.Trial, err error) {
	o = engine.Options{
		Output: "mem://test/out", Params: p.params, Stores: store.Options{Mem: space},
		Partitions: 1 + r.IntN(20), Slots: 1 + r.IntN(4), Compress: []string{"", "gzip", "zstd"}[r.IntN(3)],
	}
	o.Memory = int64(o.Slots)*64*mebibyte + r.Int64N(2)*r.Int64N(256*mebibyte)
	if r.IntN(4) == 0 {
		o.Root = "mem://elsewhere/scratch"
	}
	if r.IntN(3) == 0 {
		hard.Spill = 1 + r.IntN(200)
	}
	if len(p.objects) == 0 {
		return o, hard, nil
	}
	root, err := store.Open(ctx, "mem://test/in", o.Stores)
	if err != nil {
		return o, hard, err
	}
	defer root.Close()
	var total int
	for i, text := range p.objects {
		key, body, err := packed(r, fmt.Sprintf("object-%02d", i), text)
		if err != nil {
			return o, hard, err
		}
		if err := root.Put(ctx, key, body, store.Scratch); err != nil {
			return o, hard, err
		}
		o.Input = append(o.Input, root.Name(key))
		total += len(body)
	}
	switch r.IntN(3) {
	case 0:
		o.Input = []string{"mem://test/in"}
	case 1:
		o.Input = []string{"mem://test/in/object-*"}
	}
	// Up to 120 splits; with small inputs these are single bytes.
	o.SplitSize = int64(max(1, total/(1+r.IntN(120))))
	return o, hard, nil
}

// packed compresses an object, or not, and names it accordingly.
func packed(r *rand.Rand, key, text string) (string, []byte, error) {
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch r.IntN(6) {
	case 0:
		key, w = key+".gz", gzip.NewWriter(&b)
	case 1:
		key += ".zst"
		w, err = zstd.NewWriter(&b)
	default:
		return key, []byte(text), nil
	}
	if err != nil {
		return key, nil, err
	}
	_, err = io.WriteString(w, text)
	err = errors.Join(err, w.Close())
	return key, b.Bytes(), err
}

// unpackedParts returns the bytes of all parts, decompressed as their names
// say, one after the other.
func unpackedParts(ctx context.Context, url string, stores store.Options, parts []plan.Part) ([]byte, error) {
	root, err := store.Open(ctx, url, stores)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	m, err := output.Read(ctx, root)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(m.Parts, parts) {
		return nil, errors.New("the run's manifest is not the one that is committed")
	}
	var all []byte
	for i := range m.Parts {
		b, err := unpacked(ctx, root, &m.Parts[i])
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// unpacked returns the bytes of a part, decompressed as its name says.
func unpacked(ctx context.Context, root *store.Root, part *plan.Part) ([]byte, error) {
	b, err := root.Get(ctx, part.Name, part.Size)
	if err != nil {
		return nil, err
	}
	var in io.Reader = bytes.NewReader(b)
	switch {
	case strings.HasSuffix(part.Name, ".gz"):
		in, err = gzip.NewReader(in)
	case strings.HasSuffix(part.Name, ".zst"):
		in, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}

// firstDifference returns an error that shows where got and want part.
func firstDifference(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-40)
	return fmt.Errorf("the output has %d bytes, want %d; at byte %d it continues with %.80q, want %.80q",
		len(got), len(want), at, got[from:], want[from:])
}

// texts draws a few objects made of lines that line draws. Lines end in LF or
// CR LF, the last one perhaps without either.
func texts(r *rand.Rand, line func() string) []string {
	most := []int{3, 40, 1500}[r.IntN(3)] // lines of an object
	objects := make([]string, 1+r.IntN(4))
	for i := range objects {
		var b strings.Builder
		for range r.IntN(most) {
			b.WriteString(line())
			b.WriteString([]string{"\n", "\n", "\r\n"}[r.IntN(3)])
		}
		objects[i] = b.String()
		if r.IntN(2) == 0 {
			objects[i] = strings.TrimRight(objects[i], "\r\n")
		}
	}
	if r.IntN(10) == 0 {
		objects[0] = line() + strings.Repeat("long ", 80_000) + line() + "\n" + objects[0]
	}
	return objects
}

// anyLine draws a line of words, some of which are not valid UTF-8, in a mix of
// white space.
func anyLine(r *rand.Rand) string {
	pieces := []string{" ", "  ", "\t", "\v", "\f", "\r.", "a", "b", "ab", "42", "word", "\u00a0", "\u2003", "\x85", "\x00", "\xff\xf8", "é", "日本"}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// linesOf returns the lines of objects, in order.
func linesOf(objects []string) []string {
	var lines []string
	for _, text := range objects {
		for line := range strings.Lines(text) {
			lines = append(lines, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		}
	}
	return lines
}

// joined returns lines with their ends.
func joined(lines []string) []byte {
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.Bytes()
}

func grepProblem(r *rand.Rand) problem {
	p := problem{objects: texts(r, func() string { return anyLine(r) }), ordered: true}
	pattern := []string{"a", "^a", "word$", `4\d`, `\s\s`, "^$"}[r.IntN(6)]
	invert := r.IntN(2) == 0
	p.params = map[string]string{"pattern": pattern, "invert": fmt.Sprint(invert)}
	matches := regexp.MustCompile(pattern)
	p.want = joined(slices.DeleteFunc(linesOf(p.objects), func(l string) bool { return matches.MatchString(l) == invert }))
	return p
}

func sortProblem(r *rand.Rand) problem {
	p := problem{objects: texts(r, func() string { return anyLine(r) }), ordered: true}
	p.want = joined(slices.Sorted(slices.Values(linesOf(p.objects))))
	return p
}

func wordcountProblem(r *rand.Rand) problem {
	p := problem{objects: texts(r, func() string { return anyLine(r) })}
	counts := map[string]int{}
	for _, text := range p.objects {
		for _, word := range bytes.FieldsFunc([]byte(text), func(c rune) bool { return strings.ContainsRune(" \t\n\v\f\r", c) }) {
			counts[string(word)]++
		}
	}
	var lines []string
	for word, n := range counts {
		lines = append(lines, fmt.Sprintf("%s\t%d", word, n))
	}
	p.want = []byte(sorted(string(joined(lines))))
	return p
}

func measurementsProblem(r *rand.Rand) problem {
	type stat struct{ n, sum, least, most int64 }
	stats := map[string]*stat{}
	names := []string{"Oslo", "Bern", "a;b", "", "Zürich", "x y", "\xff"}
	p := problem{}
	p.objects = texts(r, func() string {
		name, v := names[r.IntN(len(names))], r.Int64N(1999)-999
		return fmt.Sprintf("%s;%.1f", name, float64(v)/10)
	})
	if strings.Contains(p.objects[0], "long ") {
		p.objects[0] = strings.Repeat("long ", 80_000) + ";-17.5"
	}
	for _, line := range linesOf(p.objects) {
		at := strings.LastIndexByte(line, ';')
		value, ok := new(big.Rat).SetString(line[at+1:])
		if !ok {
			continue // the job will fail on it
		}
		v := value.Mul(value, big.NewRat(10, 1)).Num().Int64()
		s := stats[line[:at]]
		if s == nil {
			s = &stat{least: v, most: v}
			stats[line[:at]] = s
		}
		s.n, s.sum, s.least, s.most = s.n+1, s.sum+v, min(s.least, v), max(s.most, v)
	}
	var lines []string
	for name, s := range stats {
		mean := big.NewRat(s.sum, 10*s.n).FloatString(1) // rounds halves away from zero
		if mean == "-0.0" {
			mean = "0.0"
		}
		lines = append(lines, fmt.Sprintf("%s\t%.1f/%s/%.1f", name, float64(s.least)/10, mean, float64(s.most)/10))
	}
	p.want = []byte(sorted(string(joined(lines))))
	return p
}

const recordBytes = 100

// masks is what the sort benchmark xors its binary records with, ten bytes for
// each of a record's ten numbers.
const masks = "00000000000000000000" + "F0E8E4E2E1D8D4D2D1CC" + "CAC9C6C5C3B8B4B2B1AC" + "AAA9A6A5A39C9A999695" + "938E8D8B87787472716C" +
	"6A696665635C5A595655" + "534E4D4B473C3A393635" + "332E2D2B271E1D1B170F" + "C8C4C2C1989492918CE0" + "170F332E2D2B271E1D1B"

// teragenProblem expects the benchmark's records: record n is the high 80 bits
// of each of the numbers n+1 to n+10 of its generator, one after the other.
func teragenProblem(r *rand.Rand) problem {
	start, records := r.Int64N(500), 1+r.Int64N(500)
	factor, _ := new(big.Int).SetString("2360ED051FC65DA44385DF649FCCF645", 16)
	term, _ := new(big.Int).SetString("4A696D47726179524950202020202001", 16)
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	var numbers []*big.Int // high 80 bits
	x := new(big.Int)
	for range start + records + 10 {
		x.Mul(x, factor).Add(x, term).Mod(x, modulus)
		numbers = append(numbers, new(big.Int).Rsh(x, 48))
	}
	p := problem{ordered: true, params: map[string]string{"records": fmt.Sprint(records), "start": fmt.Sprint(start)}}
	for n := start; n < start+records; n++ {
		for i := range int64(10) {
			mask, _ := new(big.Int).SetString(masks[i*20:][:20], 16)
			p.want = append(p.want, mask.Xor(mask, numbers[n+i]).FillBytes(make([]byte, 10))...)
		}
	}
	return p
}

// records draws records of which many have equal keys, and some are equal.
func records(r *rand.Rand, n int) []string {
	recs := make([]string, n)
	for i := range recs {
		key := fmt.Sprintf("%010d", r.IntN(2*n))
		value := bytes.Repeat([]byte{byte(r.IntN(256))}, recordBytes-len(key)-1)
		recs[i] = key + string(value) + string([]byte{byte(r.IntN(3))})
	}
	return recs
}

// dealt distributes records to a few objects, in order.
func dealt(r *rand.Rand, recs []string) []string {
	objects := make([]string, 1+r.IntN(4))
	for i, rec := range recs {
		objects[i*len(objects)/len(recs)] += rec
	}
	return objects
}

func terasortProblem(r *rand.Rand) problem {
	recs := records(r, []int{1, 5, 2000}[r.IntN(3)])
	p := problem{objects: dealt(r, recs), ordered: true}
	slices.Sort(recs)
	p.want = []byte(strings.Join(recs, ""))
	return p
}

func teravalidateProblem(r *rand.Rand) problem {
	recs := records(r, []int{1, 5, 2000}[r.IntN(3)])
	slices.Sort(recs)
	duplicates, sum := 0, new(big.Int)
	for i, rec := range recs {
		sum.Add(sum, big.NewInt(int64(crc32.ChecksumIEEE([]byte(rec)))))
		if i > 0 && rec[:10] == recs[i-1][:10] {
			duplicates++
		}
	}
	want := fmt.Sprintf("records\t%d\nunordered\t0\nduplicates\t%d\nchecksum\t%s\n", len(recs), duplicates, sum.Text(16))
	return problem{objects: dealt(r, recs), want: []byte(want), ordered: true}
}
