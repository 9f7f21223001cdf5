package jobproc

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	lines "github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/store/relay"
)

// TestTheWorkerIsGone verifies that the end of the worker is no error of a job process,
// whatever was in transit: here an answer that the worker has not read, after which the
// system resets the connection.
func TestTheWorkerIsGone(t *testing.T) {
	t.Parallel()
	job := jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Write(lines.Lines{})
		return nil
	})
	h := Hello{Version: Version, Job: "copy", Token: bytes.Repeat([]byte("t"), relay.TokenSize)}
	built, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Plan = built.Text
	storage, theirStorage := ends(t)
	control, theirControl := ends(t)
	var all sync.WaitGroup
	all.Go(func() {
		_ = relay.Serve(context.Background(), storage, relay.Config{Token: h.Token, Policy: relay.NewPolicy(nil)})
	})
	all.Go(func() {
		if err := Main(context.Background(), Config{Jobs: []*jobs.Job{job}, Storage: theirStorage, Control: theirControl, Stdout: io.Discard, Stderr: io.Discard}); err != nil {
			t.Errorf("Main: %v", err)
		}
	})
	l := link{conn: control}
	if err := l.send(kindHello, h); err != nil {
		t.Fatal(err)
	}
	if k, _, err := l.receive(); err != nil || k != kindReady {
		t.Fatalf("kind %d, %v", k, err)
	}
	if err := l.send(kindGenerate, generate{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(control, make([]byte, 1)); err != nil { // the rest stays unread
		t.Fatal(err)
	}
	_ = control.Close()
	all.Wait()
}

func ends(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ours, file, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err = relay.Inherited(file); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}
