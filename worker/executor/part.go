package executor

import (
	"context"
	"fmt"
	"io"
	"path"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// part is the output of an attempt on its way to the store. Its bytes are
// compressed when the job asks for that, counted, summed, and sent to the
// store, which shows nothing of them before commit.
type part struct {
	x       *execution
	name    string
	early   bool           // it is made visible as soon as it ends
	done    bool           // it is visible
	in      io.Writer      // takes the bytes of the job
	pack    io.WriteCloser // the compressor, nil for none
	to      *store.Writer
	size    int64
	crc     uint32
	records int64
}

var _ pipeline.Part = (*part)(nil)

// Write takes bytes of the job's format.
func (p *part) Write(b []byte) (int, error) { return p.in.Write(b) }

// atRest is the end of a part that takes the bytes as they are stored.
type atRest struct{ *part }

func (p atRest) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	p.size += int64(n)
	p.crc = checksum.UpdateCRC32C(p.crc, b[:n])
	return n, err
}

// Parts of Partitioned outputs that may be open at once. On a remote store each holds the
// bytes that are on their way.
const (
	mostParts       = 32
	mostPartsRemote = 2
)

// mostParts returns how many parts of Partitioned outputs may be open at once.
func (e *Executor) mostParts() int {
	if e.cfg.Output.Remote() {
		return mostPartsRemote
	}
	return mostParts
}

// part begins the attempt's part of an output of its step, in a directory. An attempt that
// has more parts than may be open makes the others visible one after another.
func (x *execution) part(ctx context.Context, place int, dir string) (pipeline.Part, error) {
	e, output := x.exec, x.step.Outputs[place]
	p := &part{x: x, name: e.cfg.PartName(x.attempt.Task, x.attempt.ID, output)}
	if dir != "" {
		p.name = path.Join(path.Dir(p.name), dir, path.Base(p.name))
		x.directories++
		p.early = x.directories > e.mostParts()
	}
	var err error
	if p.to, err = e.cfg.Output.Create(ctx, p.name, store.CreateOptions{IfAbsent: true}); err != nil {
		return nil, err
	}
	p.in = atRest{p}
	x.parts = append(x.parts, p)
	if e.cfg.Pipeline.Outputs[output].Compressible {
		if p.pack, err = e.cfg.Compress.Writer(atRest{p}); err != nil {
			return nil, err
		}
		p.in = p.pack
	}
	return p, nil
}

// End ends the bytes. The part is not visible yet.
func (p *part) End(records int64) error {
	p.records = records
	if p.pack != nil {
		if err := p.pack.Close(); err != nil {
			return err
		}
	}
	if !p.early {
		return nil
	}
	// Parts that wait for the end of the attempt would hold memory, as many as there are.
	// They have names that no other attempt has, and count by the manifest alone.
	if err := p.x.grant(); err != nil {
		return err
	}
	return p.x.show(p)
}

// publish makes the parts of the attempt visible, in this order: the manifest, the
// grant, the parts.
func (x *execution) publish(ctx context.Context) error {
	for _, p := range x.parts {
		if p.done {
			continue
		}
		if err := p.to.Last(); err != nil { // it travels while the manifest does
			return err
		}
	}
	for _, p := range x.parts {
		x.m.Tally.BytesOut += p.size
		x.m.AddPart(plan.Part{Name: p.name, Size: p.size, Records: p.records, CRC32C: p.crc})
	}
	if err := x.exec.writeManifest(ctx, x.m); err != nil {
		return err
	}
	if err := x.grant(); err != nil {
		return err
	}
	for _, p := range x.parts {
		if err := x.show(p); err != nil {
			return err
		}
	}
	return nil
}

// grant asks for the attempt's grant, once.
func (x *execution) grant() error {
	if x.granted {
		return nil
	}
	err := x.grants.Grant(x.task.Context, x.attempt)
	x.granted = err == nil
	return err
}

// show makes a part visible.
func (x *execution) show(p *part) error {
	if p.done {
		return nil
	}
	err := p.to.Commit()
	switch {
	case plan.KindOf(err) != plan.Exists:
	case len(x.parts) == 1 && !p.early:
		err = x.exec.adopt(x.task.Context, x.attempt, x.m, x.grants)
	default:
		err = x.exec.own(x.task.Context, x.attempt, p)
	}
	p.done = err == nil
	return err
}

// own checks a part whose name only this attempt has, and which exists already: the
// store has answered an earlier request for it with an error.
func (e *Executor) own(ctx context.Context, a Attempt, p *part) error {
	found, err := attempts.SumPart(ctx, e.cfg.Output, p.name)
	if err != nil {
		return err
	}
	if found.Size != p.size || found.CRC32C != p.crc {
		return fmt.Errorf("task %v: %s exists, %d bytes with CRC32C %08x, and this attempt wrote something else under a name of its own; move it away and run the job again",
			a.Task, e.cfg.Output.Name(p.name), found.Size, found.CRC32C)
	}
	return nil
}

// adopt finds out which granted attempt made the existing part, and replaces m
// by that attempt's manifest. A part that no granted attempt meant to write is
// an error.
func (e *Executor) adopt(ctx context.Context, a Attempt, m *plan.Manifest, grants Granter) error {
	granted, err := grants.Granted(ctx, a.Task)
	if err != nil {
		return err
	}
	found, err := attempts.SumPart(ctx, e.cfg.Output, m.Part.Name)
	if plan.KindOf(err) == plan.NotFound {
		// No attempt holds the name: another attempt can make the part.
		return driver.Fail(plan.Unavailable, "task %v: the store says that %s exists, and that it does not: %s", a.Task, e.cfg.Output.Name(m.Part.Name), err.Error())
	}
	if err != nil {
		return err
	}
	for _, id := range granted {
		winner, err := e.manifest(ctx, a.Task, id)
		if plan.KindOf(err) == plan.NotFound {
			continue // it died before it wrote a manifest
		}
		if err != nil {
			return err
		}
		if winner.Part != nil && winner.Part.Size == found.Size && winner.Part.CRC32C == found.CRC32C {
			*m = *winner
			return nil
		}
	}
	return fmt.Errorf("task %v: %s exists, %d bytes with CRC32C %08x, and none of the %d attempts that were granted wrote that; move it away and run the job again",
		a.Task, e.cfg.Output.Name(m.Part.Name), found.Size, found.CRC32C, len(granted))
}
