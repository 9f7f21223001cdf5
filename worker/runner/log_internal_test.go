package runner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

func testLog(root *store.Root, keep int) *attemptLog {
	r := &Runner{cfg: Config{Root: root, Host: "hay-1", KeepOutput: keep}, pid: 17}
	return r.newLog(cluster.Ref{Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Task: plan.TaskID{Phase: plan.Map, Index: 3}, Attempt: plan.AttemptID{Epoch: 1, N: 2, Rand: 3}})
}

// TestOutlet verifies that the lines of an output go to the attempt that wrote
// them, in whatever pieces the output comes.
func TestOutlet(t *testing.T) {
	t.Parallel()
	marker := "\x1eABCDEFGHIJKLMNOP\x1e\n"
	long := strings.Repeat("x", 3*maxLine+17)
	all := "one\n\ntwo\r\n\xff\xfe\n" + long + "\nno line feed" + marker + "between\n"
	for size := 1; size <= len(all); size = size*3 + 1 {
		l := testLog(nil, 1<<20)
		var o outlet
		reached := o.direct(l, marker)
		for p := []byte(all); len(p) > 0; {
			n := min(size, len(p))
			if n, err := o.Write(p[:n]); n != min(size, len(p)) || err != nil {
				t.Fatal(n, err)
			}
			p = p[n:]
		}
		select {
		case <-reached:
		default:
			t.Fatalf("in pieces of %d the marker was not found", size)
		}
		text := string(l.lines.text())
		before, rest, _ := strings.Cut(text, "xx")
		if before != "one\n\ntwo\n�\n" || !strings.HasSuffix(text, "\nno line feed\n") || strings.Count(rest, "x")+2 != len(long) || strings.Contains(text, "between") {
			t.Errorf("in pieces of %d: %.50q … %.50q", size, text, text[max(0, len(text)-50):])
		}
		next := testLog(nil, 1<<20)
		o.direct(next, marker)
		fmt.Fprint(&o, "of the next\nand half a line")
		o.detach()
		if got := string(next.lines.text()); got != "of the next\nand half a line\n" {
			t.Errorf("the next attempt: %q", got)
		}
	}
}

// TestKept verifies that whole lines of the beginning and of the end are kept.
func TestKept(t *testing.T) {
	t.Parallel()
	k := kept{limit: 100}
	var all []string
	for i := range 1000 {
		line := fmt.Sprintf("line %d", i)
		all = append(all, line)
		k.add([]byte(line))
	}
	head, tail, ok := strings.Cut(string(k.text()), "[… ")
	dropped, tail, _ := strings.Cut(tail, " lines dropped …]\n")
	first, last := strings.Count(head, "\n"), strings.Count(tail, "\n")
	if !ok || head != strings.Join(all[:first], "\n")+"\n" || tail != strings.Join(all[1000-last:], "\n")+"\n" || dropped != fmt.Sprint(1000-first-last) {
		t.Errorf("%q, %s, %q", head, dropped, tail)
	}
	if len(head) > 100 || len(tail) > 100 || len(head) < 80 || len(tail) < 80 {
		t.Errorf("%d and %d bytes", len(head), len(tail))
	}
	small := kept{limit: 100}
	small.add([]byte("a"))
	if got := string(small.text()); got != "a\n" {
		t.Errorf("%q", got)
	}
}

// TestRefresh verifies that the log of a running attempt is written when there
// is something new in it, and not otherwise.
func TestRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, err := store.Open(t.Context(), "mem://", store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := testLog(root, 1000)
		ctx, cancel := context.WithCancel(t.Context())
		const refreshEvery = 5 * time.Second
		go l.refresh(ctx, refreshEvery)
		read := func() string {
			b, err := root.Get(t.Context(), l.key, 1000)
			if err != nil && plan.KindOf(err) != plan.NotFound {
				t.Error(err)
			}
			return string(b)
		}
		puts := func() int64 { return root.Usage().Puts }
		if got := read(); got != "" {
			t.Errorf("at once: %q", got)
		}
		l.line([]byte("hay"), false)
		time.Sleep(refreshEvery + time.Second)
		synctest.Wait()
		if got := read(); !strings.Contains(got, "task map/3 on hay-1, worker process 17\nhay\n") {
			t.Errorf("after a while: %q", got)
		}
		before := puts()
		time.Sleep(10 * refreshEvery)
		synctest.Wait()
		if puts() != before {
			t.Error("it is written although nothing is new")
		}
		l.line([]byte("rake"), true)
		time.Sleep(refreshEvery)
		synctest.Wait()
		if got := read(); !strings.HasSuffix(got, "hay\nrake\n") {
			t.Errorf("later: %q", got)
		}
		cancel()
		l.finish(&cluster.Outcome{Result: cluster.Failed, Failure: plan.Failure{Text: "no more grass"}, Took: time.Second})
		if err := l.write(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := read(); !strings.HasSuffix(got, "] failed: no more grass, after 1s\n") || l.standardError() != "rake\n" {
			t.Errorf("at the end: %q", got)
		}
		if !strings.Contains(read(), "hay") {
			t.Error("what came before is gone")
		}
	})
}
