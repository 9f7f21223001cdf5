package measure

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBusyTicks(t *testing.T) {
	t.Parallel()
	const stat = "cpu  100 20 3 4000 500 6 7 8 50 60\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
	if got, ok := busyTicks(stat); !ok || got != 100+20+3+6+7+8 {
		t.Errorf("%d busy ticks (%v), want 144: all but idle, iowait and guests", got, ok)
	}
	for _, broken := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 6 7 x"} {
		if got, ok := busyTicks(broken); ok {
			t.Errorf("%q has %d busy ticks", broken, got)
		}
	}
}

func TestOthersUntil(t *testing.T) {
	t.Parallel()
	start := time.Now()
	begin := Clock{at: start, total: 100, own: 10}
	for _, test := range []struct {
		end  Clock
		want float64
	}{
		{Clock{start.Add(10 * time.Second), 125, 30}, 0.5}, // 25 s in all, 20 s of them ours
		{Clock{start.Add(10 * time.Second), 109, 20}, 0},   // counting is coarse
		{Clock{start.Add(10 * time.Second), -1, 20}, -1},
	} {
		if got := begin.othersUntil(test.end); got != test.want {
			t.Errorf("until %+v: %v, want %v", test.end, got, test.want)
		}
	}
}

func TestHeaderTellsOfLoad(t *testing.T) {
	t.Parallel()
	for load, loaded := range map[float64]bool{0.99: false, 1: true, 7: true} {
		var out strings.Builder
		WriteHeader(&out, "a test", Machine{Commit: "abc", goBuild: "go1", CPUs: 2, load: load}, Place{"/there", true})
		if got := strings.Contains(out.String(), "LOADED"); got != loaded {
			t.Errorf("load %v on 2 CPUs: header %q", load, out.String())
		}
	}
	var out strings.Builder
	(&Machine{CPUs: 2}).writeOthers(&out, 0.2)
	if !strings.Contains(out.String(), "NOT QUIET") {
		t.Errorf("others used 0.2 of 2 CPUs: %q", out.String())
	}
}

func TestPlaceIsNamed(t *testing.T) {
	t.Parallel()
	const huge = 1 << 60
	if p, err := ChoosePlace("", huge); err == nil {
		t.Errorf("%d bytes fit %s", huge, p.Dir)
	}
	if p, err := ChoosePlace("/there", huge); err != nil || p.Dir != "/there" || p.Memory {
		t.Errorf("place %+v (%v), want what -dir says", p, err)
	}
}

func TestTuningVariablesAreLeftOut(t *testing.T) {
	t.Parallel()
	got := Environment([]string{"PATH=/bin", "GOGC=off", "GOMEMLIMIT=1GiB", "GOMAXPROCS=1", "GODEBUG=x=1", "LC_ALL=de_DE.UTF-8", "GOGCX=1"})
	if want := []string{"PATH=/bin", "GOGCX=1", "LC_ALL=C"}; !slices.Equal(got, want) {
		t.Errorf("environment %q, want %q", got, want)
	}
}
