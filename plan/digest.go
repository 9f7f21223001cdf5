package plan

// Digest is what the log keeps of an attempt's work.
type Digest struct {
	In    int64  // records or pairs read
	Out   int64  // pairs or records written
	Bytes int64  // at rest
	CRC   uint32 // CRC32C of the part; of a map that is shuffled, of all that its runs hold
}

// Digest returns what the log keeps of the attempt.
func (m *Manifest) Digest() Digest {
	d := Digest{In: m.Tally.RecordsIn, Out: m.Tally.RecordsOut, Bytes: m.Tally.BytesOut, CRC: m.CRC()}
	if m.Part == nil {
		d.Out, d.Bytes = m.Tally.PairsOut, m.Tally.RunBytes
	}
	return d
}

// Counts are how many tasks a planned job has, by phase.
type Counts struct{ Samples, Maps, Reduces int }
