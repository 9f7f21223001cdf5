package jobstest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// The jobs of docs/writing-jobs.md, which quotes these files. Each is run by
// the test beside it.

// Fold.

// Sizes maps lines "status bytes" to the bytes that each status took.
var Sizes = jobs.New("sizes", size, jobs.Sum)

func size(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	status, number, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return errors.New("the line has no blank")
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return err
	}
	emit(status, n)
	return nil
}

func TestSizes(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Sizes, jobstest.Lines("200 17", "404 3", "200 5"), jobstest.Strict()).Want("200\t22", "404\t3")
}

// Aggregate.

// Mean gathers numbers. The zero Mean has none.
type Mean struct{ N, Sum int64 }

func (m *Mean) Add(v int64)    { m.N, m.Sum = m.N+1, m.Sum+v }
func (m *Mean) Merge(o *Mean)  { m.N, m.Sum = m.N+o.N, m.Sum+o.Sum }
func (m *Mean) String() string { return fmt.Sprintf("%.1f", float64(m.Sum)/float64(m.N)) }

var Means = jobs.Define("means", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	sizes := jobs.Map(jobs.ReadLines(p), size)
	jobs.Aggregate(sizes, (*Mean).Add, (*Mean).Merge).WriteTSV()
	return nil
})

func TestMeans(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Means, jobstest.Lines("200 17", "404 3", "200 4"), jobstest.Strict()).Want("200\t10.5", "404\t3.0")
}

// Reduce.

var Spread = jobs.Define("spread", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	sizes := jobs.Map(jobs.ReadLines(p), size)
	jobs.Reduce(sizes, spread).Write(text.Lines{})
	return nil
})

func spread(_ *jobs.Context, status []byte, sizes iter.Seq[int64], emit func([]byte)) error {
	least, most, n := int64(0), int64(0), 0
	for v := range sizes {
		if n == 0 {
			least, most = v, v
		}
		least, most, n = min(least, v), max(most, v), n+1
	}
	if n > 1 {
		emit(fmt.Appendf(nil, "%s: %d sizes from %d to %d", status, n, least, most))
	}
	return nil
}

func TestSpread(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Spread, jobstest.Lines("200 17", "404 3", "200 5"), jobstest.Strict()).Want("200: 2 sizes from 5 to 17")
}

// Map-only.

type KeepParams struct {
	Pattern *regexp.Regexp `help:"keep lines that match" required:"true"`
	Most    int            `help:"cut lines to this many bytes"`
}

var Keep = jobs.Define("keep", KeepParams{Most: 80}, func(p *jobs.Pipeline, params KeepParams) error {
	if params.Most < 1 {
		return fmt.Errorf("most %d: want 1 or more", params.Most)
	}
	kept := jobs.ReadLines(p).Filter(params.Pattern.Match)
	cut := func(line []byte) []byte { return line[:min(len(line), params.Most)] }
	jobs.Convert(kept, cut).Write(text.Lines{})
	return nil
})

func TestKeep(t *testing.T) {
	t.Parallel()
	lines := jobstest.Lines("a row", "hay", "a windrow of hay")
	texts := jobstest.Params(map[string]string{"pattern": "row"})
	jobstest.Run(t, Keep, lines, texts, jobstest.Strict()).Want("a row", "a windrow of hay")
	whole := jobstest.Params(KeepParams{Pattern: regexp.MustCompile("row"), Most: 9})
	jobstest.Run(t, Keep, lines, whole).Want("a row", "a windrow")
	if _, err := jobstest.TryRun(t, Keep, lines, texts, jobstest.Params(map[string]string{"most": "0"})); err == nil || !strings.Contains(err.Error(), "want 1 or more") {
		t.Errorf("most 0: %v", err)
	}
}

// Keys.

type PageDay struct {
	Page string
	Day  uint16
}

func view(_ *jobs.Context, line []byte, emit jobs.Emit[PageDay, int64]) error {
	var k PageDay
	if _, err := fmt.Sscan(string(line), &k.Page, &k.Day); err != nil {
		return err
	}
	emit(k, 1)
	return nil
}

var Views = jobs.New("views", view, jobs.Sum)

func TestViews(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Views, jobstest.Lines("/a 2", "/b 1", "/a 10", "/a 2"), jobstest.Strict()).Want("/a\t2\t2", "/a\t10\t1", "/b\t1\t1")
}

// IP is an address as a key: its 16 bytes are its order.
type IP struct{ netip.Addr }

func (ip IP) AppendKey(dst []byte) []byte {
	b := ip.As16()
	return append(dst, b[:]...)
}

func (ip *IP) DecodeKey(b []byte) error {
	if len(b) != 16 {
		return fmt.Errorf("an address has %d bytes, want 16", len(b))
	}
	ip.Addr = netip.AddrFrom16([16]byte(b)).Unmap()
	return nil
}

// Ports is a set as a value, with an encoding of its own.
type Ports struct{ low uint64 }

func (p Ports) AppendBinary(dst []byte) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(dst, p.low), nil
}

func (p *Ports) UnmarshalBinary(b []byte) error {
	if len(b) != 8 {
		return errors.New("a set of ports has 8 bytes")
	}
	p.low = binary.LittleEndian.Uint64(b)
	return nil
}

func (p Ports) String() string { return fmt.Sprintf("%#x", p.low) }

func union(a, b Ports) Ports { return Ports{a.low | b.low} }

func open(_ *jobs.Context, line []byte, emit jobs.Emit[IP, Ports]) error {
	at, err := netip.ParseAddrPort(string(line))
	if err != nil {
		return err
	}
	emit(IP{at.Addr()}, Ports{1 << (at.Port() % 64)})
	return nil
}

var OpenPorts = jobs.New("open-ports", open, union)

func TestOpenPorts(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, OpenPorts, jobstest.Lines("10.0.0.1:1", "10.0.0.2:2", "10.0.0.1:4"), jobstest.Strict()).Want("10.0.0.1\t0x12", "10.0.0.2\t0x4")
}

// Errors.

func tolerant(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	err := size(ctx, line, emit)
	if err != nil {
		ctx.Count("bad lines", 1)
		ctx.Log().Warn("left out", "at", ctx.Position(), "error", err)
		return nil
	}
	ctx.Observe("line bytes", float64(len(line)))
	return nil
}

var Tolerant = jobs.New("tolerant", tolerant, jobs.Sum)

func TestTolerant(t *testing.T) {
	t.Parallel()
	r := jobstest.Run(t, Tolerant, jobstest.Lines("200 17", "404", "200 x", "200 5"), jobstest.Strict())
	r.Want("200\t22")
	if n := r.Counter("bad lines"); n != 2 {
		t.Errorf("%d bad lines, want 2", n)
	}
	if s := r.Stat("line bytes"); s.Count != 2 || s.Max != 6 {
		t.Errorf("good lines are %+v", s)
	}
}

func TestSizesRefusesOtherLines(t *testing.T) {
	t.Parallel()
	_, err := jobstest.TryRun(t, Sizes, jobstest.Lines("200 17", "404"))
	var failed *windrow.Error
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "on the record at byte 7 of mem://test/in/lines: the line has no blank") {
		t.Errorf("got %v", err)
	}
}
