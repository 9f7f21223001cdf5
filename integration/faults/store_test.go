package faults

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// behind makes a cluster whose processes reach a real S3 server through a
// front; the test itself reaches it directly.
func behind(t *testing.T, f func(w http.ResponseWriter, r *http.Request, next http.Handler)) *cluster {
	t.Helper()
	url := s3test.Start(t)
	c := onBucket(t, url)
	address := front(t, endpointOf(url), f)
	c.rootURL = strings.Replace(c.rootURL, endpointOf(url), address, 1)
	c.dataURL = strings.Replace(c.dataURL, endpointOf(url), address, 1)
	return c
}

// dice draw by the seed, for any number of goroutines.
type dice struct {
	mu    sync.Mutex
	r     *rand.Rand
	times int
}

func newDice(stream uint64) *dice { return &dice{r: rand.New(rand.NewPCG(*seed, stream))} }

// strikes is true with a probability in percent.
func (d *dice) strikes(percent int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	hit := d.r.IntN(100) < percent
	if hit {
		d.times++
	}
	return hit
}

func (d *dice) struck() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.times
}

// once reports whether a request is a create-once of one piece.
func once(r *http.Request) bool {
	return r.Method == http.MethodPut && r.Header.Get("If-None-Match") != ""
}

// TestFault20AnswerOfAWinningCreateLost: the store has created an object, and
// the answer is lost. The winner finds out that it has won.
func TestFault20AnswerOfAWinningCreateLost(t *testing.T) {
	t.Parallel()
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		c := onFiles(t)
		in := c.write(4, 20)
		c.leader(weather("lost:#1 put as=412 key=**/log/*, lost:#1 put key=cluster/leader/0*1, lost:#1 put key=idem/*, lost:#1 put as=412 key=out/_windrow/0*"))
		c.worker(2, weather("lost:#1 put as=412 key=**/part-*"))
		id := c.submit("tally", "out", c.slow("1ms", "1ms", 20, 3)...)
		c.tallied(id, "out", in)
		c.mostly(1)
	})
	t.Run("s3", answersLost)
}

// answersLost breaks connections after the server has carried out the request.
func answersLost(t *testing.T) {
	t.Parallel()
	d := newDice(20)
	c := behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if once(r) && d.strikes(30) {
			apply(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	in := c.write(4, 20)
	c.leader()
	c.worker(2)
	id := c.submit("tally", "out", c.slow("1ms", "1ms", 20, 3)...)
	c.tallied(id, "out", in)
	if d.struck() < 3 {
		t.Errorf("%d answers were lost", d.struck())
	}
	if e := c.epoch(); e != 1 {
		t.Errorf("epoch %d leads: the master did not know that it had won the first", e)
	}
	c.mostly(1)
}

// TestFault22StoreWithoutCreateOnce: a master does not lead on a store that
// ignores the condition of a create-once, or inverts it. It says so.
func TestFault22StoreWithoutCreateOnce(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler){
		"ignores": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.Header.Del("If-None-Match")
			next.ServeHTTP(w, r)
		},
		"inverts": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if once(r) {
				answer(w, r, http.StatusPreconditionFailed, "PreconditionFailed")
				return
			}
			next.ServeHTTP(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := behind(t, f)
			code, _, stderr := c.command("master", "--root", c.rootURL, "--listen", "127.0.0.1:0")
			if code == 0 || !strings.Contains(stderr, "a cluster cannot be led on this store") || !strings.Contains(stderr, "create-once") {
				t.Errorf("exit %d: %s", code, stderr)
			}
			if e := c.epoch(); e != 0 {
				t.Errorf("epoch %d was taken", e)
			}
		})
	}
}

// TestFault23RefusalsThatLookLikeAbsence: for a while the store answers masters
// that nothing is there, or denies access. Neither the leader nor a master that
// starts meanwhile takes any log for empty, and the job continues.
func TestFault23RefusalsThatLookLikeAbsence(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]struct {
		status int
		code   string
	}{
		"403": {http.StatusForbidden, "AccessDenied"},
		"404": {http.StatusNotFound, "NoSuchKey"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var storm atomic.Bool
			c := behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if storm.Load() && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
					answer(w, r, says.status, says.code)
					return
				}
				next.ServeHTTP(w, r)
			})
			direct := *c
			direct.rootURL, direct.dataURL = urlOf(c), strings.Replace(urlOf(c), "/root", "/data", 1)
			in := c.write(8, 20)
			first := c.leader()
			second := c.master()
			direct.worker(2)
			id := c.submit("tally", "out", c.slow("20ms", "20ms", 20, 2)...)
			c.until(id, committed("map", 2))
			before := c.finished(id)
			storm.Store(true)
			eventually(t, "the masters continue without reading", lasts(4))
			first.kill()
			eventually(t, "the masters continue without reading", lasts(4))
			storm.Store(false)
			second.says("leading the cluster")
			c.tallied(id, "out", in)
			c.notAgain(before)
		})
	}
}

// urlOf returns the cluster's root as the test itself reaches it.
func urlOf(c *cluster) string { return c.root.URL() }

// TestFault25PartsCutAndCancelled: an upload in parts whose connection breaks
// continues. That of a cancelled job leaves nothing visible, and no parts. That
// of a killed worker is collected once the job has ended.
func TestFault25PartsCutAndCancelled(t *testing.T) {
	t.Parallel()
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		var cuts atomic.Int64
		c := behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut && r.URL.Query().Get("partNumber") == "2" && strings.Contains(r.URL.Path, "/part-r-") && cuts.Add(1) <= 2 {
				_, _ = r.Body.Read(make([]byte, 1<<10))
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					_ = conn.Close()
				}
				return
			}
			next.ServeHTTP(w, r)
		})
		in := c.write(5, 131072)
		c.leader()
		c.worker(2)
		id := c.submit("sort", "out", "--partitions", "1")
		c.succeeds(id, "out", in.sorted())
		if cuts.Load() < 3 {
			t.Errorf("%d connections were cut", cuts.Load())
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		asked, aborted := make(chan struct{}), make(chan struct{})
		var first, last sync.Once
		c := behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			upload := r.URL.Query().Has("uploadId") && strings.Contains(r.URL.Path, "/part-r-")
			switch {
			case upload && r.Method == http.MethodPut:
				first.Do(func() { close(asked) })
				_, _ = io.Copy(io.Discard, r.Body) // only then is it known when the other side gives up
				<-r.Context().Done()
				return
			case upload && r.Method == http.MethodDelete:
				defer last.Do(func() { close(aborted) })
			}
			next.ServeHTTP(w, r)
		})
		c.write(5, 131072)
		c.leader()
		c.worker(1)
		id := c.submit("sort", "out", "--partitions", "1")
		<-asked
		if code, _, stderr := c.command("cancel", string(id), "--root", c.rootURL); code != 0 {
			t.Fatalf("cancel: exit %d: %s", code, stderr)
		}
		if j := c.until(id, func(*client.Job) bool { return false }); j.State != client.Cancelled {
			t.Errorf("the job is %s: %+v", j.State, j.Cause)
		}
		select {
		case <-aborted:
		case <-time.After(patience):
			t.Error("the upload in parts is never aborted")
		}
		if seen := c.visible("out"); len(seen) > 0 {
			t.Errorf("visible are %q", seen)
		}
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		sending := make(chan struct{})
		var first sync.Once
		c := behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			hold := false
			if r.Method == http.MethodPut && r.URL.Query().Get("partNumber") == "2" && strings.Contains(r.URL.Path, "/part-r-") {
				first.Do(func() { hold = true })
			}
			if hold {
				close(sending)
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
		in := c.write(3, 131072)
		c.masterWith([]string{"--keep", "1ms"}).says("leading the cluster")
		dies := c.worker(1)
		id := c.submit("sort", "out", "--partitions", "1")
		<-sending
		dies.kill()
		c.worker(1)
		c.succeeds(id, "out", in.sorted())
		if n := c.unfinished("out/"); n != 1 {
			t.Errorf("the worker that was killed left %d uploads", n)
		}
		eventually(t, "gc aborts the upload", func() bool {
			if code, _, stderr := c.command("gc", "--root", c.rootURL); code != 0 {
				t.Fatalf("gc: exit %d: %s", code, stderr)
			}
			return c.unfinished("out/") == 0
		})
	})
}

// unfinished counts the uploads in parts that have begun and not ended.
func (c *cluster) unfinished(prefix string) (n int) {
	c.t.Helper()
	err := c.data.AbortUploads(c.t.Context(), prefix, func(store.Unfinished) bool {
		n++
		return false
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}
