package plan

// Digest is the part of an attempt's work that the log keeps.
type Digest struct {
	In    int64  // records or pairs read
	Out   int64  // pairs written, or records by a task that writes none; of a Decide: 1 if another round follows
	Bytes int64  // at rest
	CRC   uint32 // CRC32C of the part; of several objects, a sum of their sums
}

// Digest returns the part of the attempt's work that the log keeps.
func (m *Manifest) Digest() Digest {
	if m.Task.Phase == Decide {
		d := Digest{CRC: m.CRC()}
		if m.GoesOn {
			d.Out = 1
		}
		return d
	}
	d := Digest{In: m.Tally.RecordsIn, Out: m.Tally.RecordsOut, Bytes: m.Tally.BytesOut, CRC: m.CRC()}
	if m.Part == nil || len(m.Rows) > 0 {
		d.Out, d.Bytes = m.Tally.PairsOut, m.Tally.RunBytes
	}
	return d
}

// Counts are the numbers of tasks of a planned job, by phase.
type Counts struct{ Samples, Maps, Reduces int }
