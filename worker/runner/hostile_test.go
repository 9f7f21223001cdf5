//go:build linux

package runner_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/relay"
	"github.com/windrow-mr/windrow/worker/jobproc"
	"github.com/windrow-mr/windrow/worker/runner"
)

// hostileMark at the end of this program makes it a hostile one.
const hostileMark = "\nhostile"

// isHostile reports whether this process runs such a program.
func isHostile() bool {
	self, err := os.ReadFile("/proc/self/exe")
	return err == nil && bytes.HasSuffix(self, []byte(hostileMark))
}

// hostile is a job process that speaks the protocol by hand, and asks for
// things that it must not have. It prints the answers.
func hostile(storage, control net.Conn) error {
	ctx := context.Background()
	var hello jobproc.Hello
	if err := take(control, &hello); err != nil {
		return err
	}
	client, err := relay.Connect(ctx, storage, hello.Token)
	if err != nil {
		return err
	}
	ready := map[string]any{"Version": jobproc.Version, "Plan": hello.Plan, "Inputs": []jobproc.Input{{Text: true, Lines: true}},
		"Outputs": []jobproc.Output{{}}, "Graph": plan.OneShuffle(plan.Counts{})}
	if err := give(control, 7, ready); err != nil {
		return err
	}
	var run jobproc.Run
	if err := take(control, &run); err != nil {
		return err
	}
	for _, name := range []string{jobproc.ScratchRoot, jobproc.OutputRoot, jobproc.InputRoot + "mem://w", jobproc.InputRoot + "mem://other", "cluster"} {
		root, err := client.Open(ctx, name, store.Options{})
		if err != nil {
			fmt.Printf("root %q: %v\n", name, err)
			continue
		}
		for _, key := range []string{"spec", "../spec", "x/00/m00001.3.9.0000abcd.0", "att/m00000/3.9.0000abcd", "att/r00000/3.9.0000abcd", "in/000.txt", "in/secret", "part-r-00000", "_SUCCESS"} {
			_, err := root.Get(ctx, key, 1<<20)
			fmt.Printf("read %q %q: %v\n", name, key, err)
			err = root.Put(ctx, key, []byte("mine"), store.Scratch)
			fmt.Printf("write %q %q: %v\n", name, key, err)
			fmt.Printf("delete %q %q: %v\n", name, key, root.Delete(ctx, key))
		}
		if name == jobproc.OutputRoot {
			fmt.Printf("commit %q: %v\n", run.Parts[0], commitEarly(ctx, root, run.Parts[0]))
		}
	}
	fmt.Print(run.Marker)
	fmt.Fprint(os.Stderr, run.Marker)
	foreign := plan.AttemptID{Epoch: 3, N: 999}
	if err := give(control, 12, jobproc.Ended{Attempt: run.Attempt, Winner: foreign}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, control)
	return err
}

// commitEarly tries to make a part visible before the grant.
func commitEarly(ctx context.Context, root *store.Root, part string) error {
	w, err := root.Create(ctx, part, store.CreateOptions{IfAbsent: true})
	if err != nil {
		return fmt.Errorf("not even begun: %w", err)
	}
	defer w.Abort()
	if _, err := w.Write([]byte("mine")); err != nil {
		return err
	}
	return w.Commit()
}

func take(c net.Conn, message any) error {
	var head [5]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	return msgpack.Unmarshal(b, message)
}

func give(c net.Conn, kind byte, message any) error {
	b, err := msgpack.Marshal(message)
	if err != nil {
		return err
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), kind)
	_, err = c.Write(append(frame, b...))
	return err
}

// TestHostileProgram verifies that a job process that asks for everything it
// can name gets only its input, and that a report for another attempt is
// refused.
func TestHostileProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", func(c *runner.Config) { c.KeepOutput = 1 << 20 })
	w.write(t, "hay\n")
	other, err := w.roots.Get(t.Context(), "mem://other", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Put(t.Context(), "in/secret", []byte("secret"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	id := w.submit(t, "matching", nil, nil)
	l := w.firstMap(t, id)
	w.Forget(id) // the job's cached spec
	w.rewrite(t, id, func(s *plan.Spec) { s.Bundles = w.upload(t, append(self(t), hostileMark...)) })
	w.failed(t, l, &host{self: l.Attempt}, "3.999.00000000 won, which was not granted")
	text := w.log(t, l.Ref)
	allowed := map[string]bool{
		`read "input mem://w" "in/000.txt": <nil>`: true,
	}
	asked := 0
	for _, line := range lines(text) {
		switch {
		case allowed[line]:
			delete(allowed, line)
		case strings.HasPrefix(line, "["):
		default:
			asked++
			if !strings.Contains(line, "permission denied") && !strings.Contains(line, "not found") && !strings.Contains(line, ": invalid:") {
				t.Errorf("it got what it must not: %s", line)
			}
			if strings.Contains(line, "not found") && !strings.HasPrefix(line, `read "scratch" "`) && !strings.HasPrefix(line, `read "output" "`) {
				t.Errorf("the answer shows what exists: %s", line)
			}
		}
	}
	if !strings.Contains(text, ": the attempt was not granted this part") {
		t.Error("it made its part visible without a grant")
	}
	if asked < 80 || len(allowed) > 0 {
		t.Errorf("only %d questions; %v: %s", asked, allowed, text)
	}
}
