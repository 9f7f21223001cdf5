package plan

// Digest is the part of an attempt's work that the log keeps.
type Digest struct {
	In    int64  // records or pairs read
	Out   int64  // pairs or records written
	Bytes int64  // at rest
	CRC   uint32 // CRC32C of the part; for a map that is shuffled, of all its runs
}

// Digest returns the part of the attempt's work that the log keeps.
func (m *Manifest) Digest() Digest {
	d := Digest{In: m.Tally.RecordsIn, Out: m.Tally.RecordsOut, Bytes: m.Tally.BytesOut, CRC: m.CRC()}
	if m.Part == nil {
		d.Out, d.Bytes = m.Tally.PairsOut, m.Tally.RunBytes
	}
	return d
}

// Counts are the numbers of tasks of a planned job, by phase.
type Counts struct{ Samples, Maps, Reduces int }
