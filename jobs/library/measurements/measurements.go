// Package measurements is the job that finds the least, mean and greatest value
// of each name.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use. A line that is not a measurement is an error that names its
// object and offset. Values are kept as whole tenths. So sums are exact, and
// the result does not depend on how the work is divided.
package measurements

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/windrow-mr/windrow/jobs"
)

// Job returns the job measurements: lines "name;-12.3" in, lines "name TAB
// min/mean/max" out, with one decimal, in order of names within a part. The
// last ";" of a line ends the name. A value has at most 15 digits before the
// point and one after it. More decimals are an error: values are not rounded. Means
// are rounded to the nearest tenth, halves away from zero.
func Job() *jobs.Job {
	return jobs.Define("measurements", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Aggregate(jobs.Map(jobs.ReadLines(p), measure), (*Stats).Add, (*Stats).Merge).WriteTSV()
		return nil
	}).Described("find the minimum, mean and maximum of each name in lines of name;value")
}

// Stats are the statistics of a name's values, in tenths.
type Stats struct {
	N, Min, Max, Sum int64
	Overflow         bool // Sum overflowed, and is wrong
}

// Add counts one value.
func (s *Stats) Add(v int64) {
	if s.N == 0 {
		*s = Stats{N: 1, Min: v, Max: v, Sum: v}
		return
	}
	s.N++
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
	s.add(v)
}

// Merge counts all that o has counted.
func (s *Stats) Merge(o *Stats) {
	if s.N == 0 {
		*s = *o
		return
	}
	s.N += o.N
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
	s.Overflow = s.Overflow || o.Overflow
	s.add(o.Sum)
}

func (s *Stats) add(v int64) {
	sum := s.Sum + v
	if (sum^s.Sum)&(sum^v) < 0 {
		s.Overflow = true
	}
	s.Sum = sum
}

// AppendText appends "min/mean/max".
func (s *Stats) AppendText(dst []byte) ([]byte, error) {
	if s.Overflow {
		return dst, &jobs.OverflowError{Sum: fmt.Sprintf("the sum of %d values in tenths", s.N), Type: "int64"}
	}
	dst = append(appendTenths(dst, s.Min), '/')
	dst = append(appendTenths(dst, mean(s.Sum, s.N)), '/')
	return appendTenths(dst, s.Max), nil
}

// mean returns sum/n as the nearest whole number. A half is rounded away from zero.
func mean(sum, n int64) int64 {
	q, r := sum/n, sum%n
	switch { // twice r may be beyond 64 bits
	case r > 0 && r >= n-r:
		return q + 1
	case r < 0 && -r >= n+r:
		return q - 1
	}
	return q
}

// appendTenths appends a number of tenths with its decimal. There is no -0.0.
func appendTenths(dst []byte, v int64) []byte {
	u := uint64(v)
	if v < 0 {
		dst, u = append(dst, '-'), -u
	}
	return append(strconv.AppendUint(dst, u/10, 10), '.', byte('0'+u%10))
}

func measure(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	// The search for the separator starts from the end: values are shorter than
	// names.
	at := len(line) - 1
	for at >= 0 && line[at] != ';' {
		at--
	}
	if at < 0 {
		return fmt.Errorf("line %.100q is not of the form name;-12.3: it has no ;", line)
	}
	v, err := tenths(line[at+1:])
	if err != nil {
		return fmt.Errorf("value %.100q: %w", line[at+1:], err)
	}
	emit(line[:at], v)
	return nil
}

var (
	errNumber   = errors.New("not a number such as -12.3")
	errDecimals = errors.New("more than one decimal")
	errDigits   = errors.New("more than 15 digits before the point")
)

// tenths parses a number with at most one decimal.
func tenths(b []byte) (int64, error) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	var v int64
	i := 0
	for ; i < len(digits) && digits[i]-'0' < 10; i++ {
		v = v*10 + int64(digits[i]-'0')
		if i == 15 {
			return 0, errDigits
		}
	}
	v *= 10
	switch rest := digits[i:]; {
	case i == 0:
		return 0, errNumber
	case len(rest) == 0:
	case len(rest) == 2 && rest[0] == '.' && rest[1]-'0' < 10:
		v += int64(rest[1] - '0')
	case len(rest) > 2 && rest[0] == '.' && len(bytes.Trim(rest[1:], "0123456789")) == 0:
		return 0, errDecimals
	default:
		return 0, errNumber
	}
	if len(digits) < len(b) {
		v = -v
	}
	return v, nil
}
