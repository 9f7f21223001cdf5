package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// QuarantineDir is the directory, below a job's output, of the records that the job left
// out. Its name begins with an underscore: it is not data.
const QuarantineDir = "_quarantine"

// IsQuarantine reports whether the part describes records that a job left out. Such parts
// are no data: readers of the output leave them out.
func (p *Part) IsQuarantine() bool { return strings.HasPrefix(p.Name, QuarantineDir+"/") }

// DataParts returns how many of the parts are data.
func DataParts(parts []Part) int {
	n := 0
	for i := range parts {
		if !parts[i].IsQuarantine() {
			n++
		}
	}
	return n
}

// BadRecords says what a job does with a record on which its functions fail, or which its
// Reader cannot decode. The zero BadRecords fails the job.
type BadRecords struct {
	// Skip leaves such records out.
	Skip bool
	// Keep describes them in an output of their own, QuarantineDir, that is committed with
	// the others.
	Keep bool
	// Most is how many a job may leave out, and Share which share of the records that it
	// reads. More fail it. 0: any number, and any share.
	Most  int64
	Share float64
}

// Fails reports whether a bad record fails the job.
func (b BadRecords) Fails() bool { return !b.Skip && !b.Keep }

// ParseBadRecords reads a policy as users write it: "fail", "skip:100", "quarantine",
// "quarantine:100" or "quarantine:1%". Empty means fail.
func ParseBadRecords(text string) (BadRecords, error) {
	mode, limit, limited := strings.Cut(text, ":")
	b := BadRecords{Skip: mode == "skip", Keep: mode == "quarantine"}
	switch {
	case text == "" || text == "fail":
		return BadRecords{}, nil
	case b.Skip && !limited:
		return b, fmt.Errorf("%q has no limit: say how many records may be lost, such as skip:100 or skip:1%%", text)
	case b.Fails():
		return b, fmt.Errorf("%q is not one of fail, skip:N, skip:P%%, quarantine, quarantine:N, quarantine:P%%", text)
	case !limited:
		return b, nil
	}
	var err error
	if strings.HasSuffix(limit, "%") {
		b.Share, err = ParseShare(limit)
		return b, err
	}
	if b.Most, err = strconv.ParseInt(limit, 10, 64); err != nil || b.Most <= 0 {
		return b, fmt.Errorf("%q: the limit is neither a positive number nor a share such as 1%%", text)
	}
	return b, nil
}

// String returns the text that ParseBadRecords reads.
func (b BadRecords) String() string {
	text := "quarantine"
	switch {
	case b.Fails():
		return "fail"
	case b.Skip:
		text = "skip"
	}
	switch {
	case b.Most > 0:
		return fmt.Sprintf("%s:%d", text, b.Most)
	case b.Share > 0:
		return text + ":" + strconv.FormatFloat(b.Share*100, 'g', -1, 64) + "%"
	}
	return text
}

// TooMany returns a *BadRecordsError when a task alone has left out more records than the
// job may.
func (b BadRecords) TooMany(bad int64) error {
	if b.Most > 0 && bad > b.Most {
		return &BadRecordsError{fmt.Sprintf("it alone could not process %d records, more than --bad-records %s allows", bad, b)}
	}
	return nil
}

// Judge returns a *BadRecordsError when a job has left out more records than it may, of
// all that it read.
func (b BadRecords) Judge(bad, read int64) error {
	if b.Most > 0 && bad > b.Most || b.Share > 0 && float64(bad) > b.Share*float64(read) {
		return &BadRecordsError{fmt.Sprintf("%d of %d records could not be processed, more than --bad-records %s allows", bad, read, b)}
	}
	return nil
}

// BadRecordsError says that a job has more bad records than it may leave out. Another
// attempt finds as many.
type BadRecordsError struct{ Text string }

// Error returns the text.
func (e *BadRecordsError) Error() string { return e.Text }

// FailureKind returns Failed.
func (e *BadRecordsError) FailureKind() Kind { return Failed }
