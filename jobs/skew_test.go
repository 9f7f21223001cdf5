package jobs

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// brittle is a key whose own decoder panics or fails.
type brittle string

func (b brittle) AppendKey(dst []byte) []byte { return append(dst, b...) }

func (b *brittle) DecodeKey(p []byte) error {
	if string(p) == "panic" {
		panic("out of cheese")
	}
	return errors.New("it cannot be read")
}

func described[K any](t *testing.T, k K) string {
	t.Helper()
	c, err := codec.KeyOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	return describeKey(c, c.Append(nil, &k))
}

// TestKeysAreDescribed verifies that a heavy key is described as errors describe keys, and
// by its bytes where the job's own code cannot decode it.
func TestKeysAreDescribed(t *testing.T) {
	t.Parallel()
	type pageDay struct {
		Page string
		Day  int
	}
	for want, got := range map[string]string{
		`"a\x1bb"`:                        described(t, "a\x1bb"),
		`"\xff"`:                          described(t, []byte{0xff}),
		"-7":                              described(t, -7),
		"{/index 3}":                      described(t, pageDay{"/index", 3}),
		`"panic"`:                         described(t, brittle("panic")),
		`"x"`:                             described(t, brittle("x")),
		fmt.Sprint(time.Unix(1, 0).UTC()): described(t, time.Unix(1, 0)),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := described(t, strings.Repeat("x", 1<<20)); len(got) > 300 {
		t.Errorf("a key of 1 MB has a text of %d bytes", len(got))
	}
}

// TestAdviceIsOfTheOperation verifies that the author of a job gets the advice for the
// operation that has a hot key, and that nothing is looked for where keys do not matter.
func TestAdviceIsOfTheOperation(t *testing.T) {
	t.Parallel()
	sum := func(_ *Context, _ string, values iter.Seq[int64], emit func(int64)) error {
		for v := range values {
			emit(v)
		}
		return nil
	}
	for name, c := range map[string]struct {
		build func(in Pairs[string, int64])
		says  string
	}{
		"Reduce":  {func(in Pairs[string, int64]) { Reduce(in, sum).WriteTSV() }, "use Fold or Aggregate"},
		"Combine": {func(in Pairs[string, int64]) { Reduce(in.Combine(Sum), sum).WriteTSV() }, "keep less"},
		"Fold":    {func(in Pairs[string, int64]) { in.Fold(Sum).WriteTSV() }, "keep less"},
		"Sort":    {func(in Pairs[string, int64]) { in.Sort().WriteTSV() }, "second part"},
		"Join":    {func(in Pairs[string, int64]) { SemiJoin(in, in).WriteTSV() }, "use Broadcast"},
	} {
		job := Define(strings.ToLower(name), struct{}{}, func(p *Pipeline, _ struct{}) error {
			c.build(Map(ReadLines(p), func(_ *Context, line []byte, emit Emit[string, int64]) error {
				emit(string(line), 1)
				return nil
			}))
			return nil
		})
		built, err := job.Build(nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, x := range built.Exchanges {
			if x.KeyText == nil || !strings.Contains(x.Advice, c.says) {
				t.Errorf("%s: %q, want %q", name, x.Advice, c.says)
			}
		}
	}
}
