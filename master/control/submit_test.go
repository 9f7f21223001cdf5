package control_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
)

// program is a program and its digest.
const program = "an executable file"

func digestOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// TestSubmitTwice verifies that a submission that is sent again makes one job: a
// client repeats it if the answer was lost.
func TestSubmitTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		first := b.submit(m, submission())
		again, err := m.Submit(t.Context(), submission())
		if err != nil || again != (client.Submitted{ID: first, Known: true}) {
			t.Errorf("the second time: %+v (%v), want the job %s", again, err, first)
		}
		other := submission()
		other.Priority = 7
		_, err = m.Submit(t.Context(), other)
		wants(t, "another submission with the same key", err, plan.Conflict, string(first), "another key")

		time.Sleep(time.Second) // so that the ids differ in time
		other.IdempotencyKey = "other"
		second := b.submit(m, other)
		if got := b.jobs(m); !slices.Equal(got, []plan.JobID{second, first}) {
			t.Errorf("the jobs are %v", got)
		}
		spec, err := m.Spec(t.Context(), second)
		if err != nil || spec.ID != second || spec.Priority != 7 || spec.Plan != "text" || spec.Submitted.IsZero() {
			t.Errorf("the job was submitted as %+v (%v)", spec, err)
		}
	})
}

// TestSubmitAgainWithOtherOnceValues verifies that a program that was started again
// finds the job that it submitted, although its constructor decided on other values of
// Once: the first ones count. A key that a master of an earlier version stored is found
// by the submission that used it.
func TestSubmitAgainWithOtherOnceValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		at := func(when string) *client.Submission {
			s := submission()
			s.Once = map[string][]byte{"now": []byte(when)}
			s.Plan = fmt.Sprintf("job x\nonce now: %d bytes, sha256 %s\nonce upon: a time\n", len(when), digestOf(when))
			return s
		}
		first := b.submit(m, at("monday"))
		again, err := m.Submit(t.Context(), at("tuesday"))
		if err != nil || again != (client.Submitted{ID: first, Known: true}) {
			t.Errorf("the second time: %+v (%v), want the job %s", again, err, first)
		}
		other := at("tuesday")
		other.Plan = strings.Replace(other.Plan, "upon: a", "upon: another", 1)
		_, err = m.Submit(t.Context(), other)
		wants(t, "another pipeline", err, plan.Conflict, string(first))
		spec, err := m.Spec(t.Context(), first)
		if err != nil || string(spec.Once["now"]) != "monday" {
			t.Errorf("the job has the values %q (%v)", spec.Once, err)
		}

		old := at("monday")
		old.IdempotencyKey = ""
		body, err := json.Marshal(old)
		b.must(err)
		_, err = journal.ClaimKey(t.Context(), b.root, "old", journal.Claim{Job: first, Digest: digestOf(string(body))})
		b.must(err)
		old.IdempotencyKey = "old"
		if again, err = m.Submit(t.Context(), old); err != nil || again.ID != first {
			t.Errorf("with the key of an earlier version: %+v (%v), want the job %s", again, err, first)
		}
	})
}

// TestSubmitAgainAfterTheEnd verifies that a submission that is sent again does not
// start the job a second time.
func TestSubmitAgainAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		before := w.done(id, client.Succeeded)
		if again, err := m.Submit(t.Context(), submission()); err != nil || again.ID != id || !again.Known {
			t.Errorf("the second time: %+v (%v)", again, err)
		}
		time.Sleep(leading)
		if d := b.job(m, id); d.State != client.Succeeded || !d.Ended.Equal(before.Ended) {
			t.Errorf("after that the job is %+v", d)
		}
		if len(w.say().Launches) != 0 {
			t.Error("an attempt is launched again")
		}
	})
}

// TestSubmitAfterACrash verifies that a submission completes if a master died at any
// point of an earlier one with the same key.
func TestSubmitAfterACrash(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"before the specification": "spec", "before the index": "active/", "before the log": "log/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				b.fail(key)
				_, err := m.Submit(t.Context(), submission())
				if key != "log/" {
					wants(t, "while the store is down", err, plan.Unavailable)
				}
				b.repair()
				m.stop()
				m = b.start("two")
				got, err := m.Submit(t.Context(), submission())
				b.must(err)
				if ids := b.jobs(m); len(ids) != 1 || ids[0] != got.ID {
					t.Errorf("the jobs are %v, and the submission made %v", ids, got.ID)
				}
				b.worker(m, "w", 2).done(got.ID, client.Succeeded)
			})
		})
	}
}

// TestSubmitIsRefused verifies that a job that cannot run is refused with the reason,
// and leaves nothing in the store.
func TestSubmitIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*client.Submission)
		kind   plan.Kind
		texts  []string
	}{
		"output elsewhere":       {func(s *client.Submission) { s.Output = "mem://secret/out" }, plan.Denied, []string{"mem://secret/out", "mem://data"}},
		"input elsewhere":        {func(s *client.Submission) { s.Input = []string{input, "mem://secret/in"} }, plan.Denied, []string{"mem://secret/in"}},
		"named input elsewhere":  {func(s *client.Submission) { s.Input = []string{"a=mem://secret/in"} }, plan.Denied, []string{"mem://secret/in"}},
		"beside an allowed root": {func(s *client.Submission) { s.Output = "mem://data2/out" }, plan.Denied, []string{"mem://data2/out"}},
		"program not uploaded": {func(s *client.Submission) {
			s.Bundles = []plan.Bundle{{OS: "linux", Arch: "arm64", Digest: digestOf(program)}}
		}, plan.Invalid, []string{"linux/arm64", "/v1/bundles/" + digestOf(program)}},
		"file not uploaded": {func(s *client.Submission) {
			s.Files = []plan.File{{Name: "f", Digest: digestOf("a file"), Size: 6}}
		}, plan.Invalid, []string{"the file with the SHA-256 " + digestOf("a file"), "/v1/bundles/" + digestOf("a file")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				before := b.keys()
				s := submission()
				tt.change(s)
				_, err := m.Submit(t.Context(), s)
				wants(t, "the submission", err, tt.kind, tt.texts...)
				if after := b.keys(); !slices.Equal(after, before) {
					t.Errorf("there are the objects %q, before there were %q", after, before)
				}
			})
		})
	}
}

// keys returns the keys of all objects of the cluster.
func (b *bed) keys() (keys []string) {
	b.t.Helper()
	for o, err := range b.root.List(b.t.Context(), "") {
		b.must(err)
		keys = append(keys, o.Key)
	}
	return keys
}

// TestNamedInputIsAllowed verifies that the name of an input is no part of its URL.
func TestNamedInputIsAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		s := submission()
		s.Input = []string{"left=" + input, "right=mem://data"}
		b.submit(b.start("one"), s)
	})
}

// TestPrograms verifies that a program is stored only if its bytes are those that were
// announced, and that a job can use it then.
func TestPrograms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		digest := digestOf(program)
		has := func() bool {
			t.Helper()
			there, err := m.HasBundle(t.Context(), digest)
			b.must(err)
			return there
		}
		wants(t, "other bytes", m.PutBundle(t.Context(), digest, int64(len(program)), strings.NewReader("an executable fil3")), plan.Invalid, digest, "nothing was stored")
		wants(t, "another size", m.PutBundle(t.Context(), digest, 1, strings.NewReader(program)), plan.Invalid, "nothing was stored")
		if err := m.PutBundle(t.Context(), digest, int64(len(program)), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(program)))); err == nil {
			t.Error("an upload that broke off succeeds")
		}
		if has() {
			t.Error("a program that is not whole was stored")
		}
		b.upload(m, digest, program)
		if body, err := b.root.Get(t.Context(), plan.BundleKey(digest, 0), 100); err != nil || string(body) != program || !has() {
			t.Errorf("the program is stored as %q (%v), has %v", body, err, has())
		}
		// It is there: the body is not needed, nor read.
		b.must(m.PutBundle(t.Context(), digest, int64(len(program)), iotest.ErrReader(journal.ErrDeposed)))
		s := submission()
		s.Bundles = []plan.Bundle{{OS: "linux", Arch: "amd64", Digest: digest, Size: int64(len(program))}}
		b.submit(m, s)
	})
}

// TestJobsInPages verifies that a list of jobs is newest first, can begin at any job,
// and has the jobs that have ended beside those that have not.
func TestJobsInPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		states := make(map[plan.JobID]client.State)
		var ids []plan.JobID
		for range 3 {
			time.Sleep(time.Second)
			s := submission()
			s.IdempotencyKey, s.Output = time.Now().String(), fmt.Sprintf("mem://data/out%d", len(ids))
			id := b.submit(m, s)
			states[id] = client.Planning
			if ids = append(ids, id); len(ids) == 1 {
				b.must(m.Cancel(t.Context(), id))
				time.Sleep(time.Minute)
				states[id] = client.Cancelled
			}
		}
		slices.Reverse(ids)
		for n, before := range append([]plan.JobID{""}, ids...) {
			var got []plan.JobID
			seen := make(map[plan.JobID]client.State)
			for d, err := range m.Jobs(t.Context(), before) {
				b.must(err)
				got = append(got, d.ID)
				seen[d.ID] = d.State
			}
			if !slices.Equal(got, ids[n:]) {
				t.Errorf("the jobs before %q are %v, want %v", before, got, ids[n:])
			}
			if before == "" && !maps.Equal(seen, states) {
				t.Errorf("their states are %v, want %v", seen, states)
			}
		}
	})
}
