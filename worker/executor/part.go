package executor

import (
	"context"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// part is the output of an attempt on its way to the store. Its bytes are
// compressed when the job asks for that, counted, summed, and sent to the
// store, which shows nothing of them before commit.
type part struct {
	in   io.Writer      // takes the bytes of the job
	pack io.WriteCloser // the compressor, nil for none
	to   *store.Writer
	size int64
	crc  uint32
}

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

func (e *Executor) newPart(ctx context.Context, name string) (*part, error) {
	w, err := e.cfg.Output.Create(ctx, name, store.CreateOptions{IfAbsent: true})
	if err != nil {
		return nil, err
	}
	p := &part{to: w}
	p.in = atRest{p}
	if e.cfg.Pipeline.Output.Compressible {
		if p.pack, err = e.cfg.Compress.Writer(atRest{p}); err != nil {
			w.Abort()
			return nil, err
		}
		p.in = p.pack
	}
	return p, nil
}

// finish ends the bytes. The part is not visible yet.
func (p *part) finish() error {
	if p.pack == nil {
		return nil
	}
	return p.pack.Close()
}

// writePart lets produce fill the attempt's part and then makes it visible, in
// this order: the manifest, the grant, the part.
func (e *Executor) writePart(ctx context.Context, a Attempt, m *plan.Manifest, grants Granter, produce func(*part) error) error {
	name := e.cfg.PartName(a.Task, a.ID)
	p, err := e.newPart(ctx, name)
	if err != nil {
		return err
	}
	defer p.to.Abort()
	if err := produce(p); err != nil {
		return err
	}
	if err := p.finish(); err != nil {
		return fmt.Errorf("task %v: end of %s: %w", a.Task, e.cfg.Output.Name(name), err)
	}
	if err := p.to.Last(); err != nil { // it travels while the manifest does
		return err
	}
	m.Tally.BytesOut = p.size
	m.Part = &plan.Part{Name: name, Size: p.size, Records: m.Tally.RecordsOut, CRC32C: p.crc}
	if err := e.writeManifest(ctx, m); err != nil {
		return err
	}
	if err := grants.Grant(ctx, a); err != nil {
		return err
	}
	err = p.to.Commit()
	if plan.KindOf(err) == plan.Exists {
		return e.adopt(ctx, a, m, grants)
	}
	return err
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
		winner, err := e.manifests.get(id, func() (*plan.Manifest, error) { return e.ReadManifest(ctx, a.Task, id) })
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
