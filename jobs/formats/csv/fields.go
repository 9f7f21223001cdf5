package csv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
)

// A field is a part of a record between commas.
type field struct {
	text   []byte
	at     int // offset in the record, behind a quote in front of it
	quoted bool
}

// null reports whether the field is empty and has no quotes.
func (f field) null() bool { return len(f.text) == 0 && !f.quoted }

// span is where a field is in its record. It is small: most time is spent on these.
type span struct {
	from, to uint32 // without quotes around it
	quoted   bool
}

// syntaxError is an error at an offset of a record.
type syntaxError struct {
	at  int
	say string
}

func (e *syntaxError) Error() string { return e.say }

// Mistakes, and what to do about them.
const (
	quoteInText    = "a quote is within a field that does not begin with one: put the field into quotes and write the quote twice, or set Unquoted if quotes are data"
	textAfterQuote = "text follows a closing quote: write a quote within a field twice, or set Unquoted if quotes are data"
	closeIt        = "close it, write a quote that is data twice, or set Unquoted if quotes are data"
)

// splitter divides records into fields.
type splitter struct {
	comma     byte
	quotes    bool // a quote has a meaning
	multiline bool
	out       []span
}

// fields divides a record. It removes quotes in place, and reuses what it returned.
func (p *splitter) fields(record []byte) ([]span, error) {
	p.out = p.out[:0]
	if !p.quotes || bytes.IndexByte(record, '"') < 0 {
		p.plain(record)
		return p.out, nil
	}
	for from := 0; ; {
		f, next, err := p.next(record, from)
		if err != nil {
			return nil, err
		}
		p.out = append(p.out, f)
		if next > len(record) {
			return p.out, nil
		}
		from = next
	}
}

// plain divides a record without quotes, eight bytes at a time: fields are short, and to
// look for the end of each by itself takes twice as long.
func (p *splitter) plain(record []byte) {
	const low = 0x7f7f7f7f7f7f7f7f
	commas := uint64(p.comma) * 0x0101010101010101
	from, at := 0, 0
	for ; at+8 <= len(record); at += 8 {
		x := binary.LittleEndian.Uint64(record[at:]) ^ commas
		found := ^((x&low + low) | x | low) // the highest bit of each byte that is a comma
		for ; found != 0; found &= found - 1 {
			to := at + bits.TrailingZeros64(found)/8
			p.out = append(p.out, span{uint32(from), uint32(to), false})
			from = to + 1
		}
	}
	for ; at < len(record); at++ {
		if record[at] == p.comma {
			p.out = append(p.out, span{uint32(from), uint32(at), false})
			from = at + 1
		}
	}
	p.out = append(p.out, span{uint32(from), uint32(len(record)), false})
}

// field returns the field of a record at a span.
func (s span) field(record []byte) field {
	return field{record[s.from:s.to:s.to], int(s.from), s.quoted}
}

// next returns the field that begins at an offset, and the offset of the next one, which
// is behind the record's length after the last one.
func (p *splitter) next(record []byte, from int) (f span, next int, err error) {
	if from == len(record) || record[from] != '"' {
		end := len(record)
		if n := bytes.IndexByte(record[from:], p.comma); n >= 0 {
			end = from + n
		}
		if n := bytes.IndexByte(record[from:end], '"'); n >= 0 {
			return f, 0, &syntaxError{from + n, quoteInText}
		}
		return span{uint32(from), uint32(end), false}, end + 1, nil
	}
	to, at := from+1, from+1 // the text without quotes, and what is read
	for {
		n := bytes.IndexByte(record[at:], '"')
		if n < 0 {
			return f, 0, p.unclosedAt(from)
		}
		to += copyWithin(record, to, at, n)
		at += n + 1
		if at == len(record) || record[at] != '"' {
			break
		}
		record[to] = '"'
		to, at = to+1, at+1
	}
	if at < len(record) && record[at] != p.comma {
		return f, 0, &syntaxError{at, textAfterQuote}
	}
	return span{uint32(from + 1), uint32(to), true}, at + 1, nil
}

// copyWithin moves n bytes of b to the front, and returns n.
func copyWithin(b []byte, to, from, n int) int {
	if to == from {
		return n
	}
	return copy(b[to:], b[from:from+n])
}

func (p *splitter) unclosedAt(at int) error {
	if p.multiline {
		return &syntaxError{at, "a quote is opened that is not closed"}
	}
	return &syntaxError{at, "a quote is opened that is not closed in its line: set Multiline if fields have line feeds, or Unquoted if quotes are data"}
}

// unclosed returns the offset of the quote in a line that is opened and not closed, and
// an error if another quote is wrong. It leaves the line as it is.
func (p *splitter) unclosed(line []byte) (at int, _ error) {
	for from := 0; from <= len(line); {
		if from < len(line) && line[from] == '"' {
			end := closing(line, from+1)
			if end < 0 {
				return from, nil
			}
			from = end
			if from < len(line) && line[from] != p.comma {
				return 0, &syntaxError{from, textAfterQuote}
			}
			from++
			continue
		}
		_, next, err := p.next(line, from)
		if err != nil {
			return 0, err
		}
		from = next
	}
	return 0, errors.New("all quotes are closed") // cannot be: their number is odd
}

// closing returns the offset behind the quote that closes text, which begins at an
// offset; negative if there is none.
func closing(line []byte, at int) int {
	for {
		n := bytes.IndexByte(line[at:], '"')
		if n < 0 {
			return -1
		}
		at += n + 1
		if at == len(line) || line[at] != '"' {
			return at
		}
		at++
	}
}

// form says how fields are written.
type form struct {
	comma, comment      byte
	unquoted, multiline bool
}

// append adds field i of a record, with quotes where it needs or asks for them.
func (f *form) append(dst []byte, i int, text []byte, quoted bool) ([]byte, error) {
	if i > 0 {
		dst = append(dst, f.comma)
	}
	feed := bytes.IndexByte(text, '\n')
	switch {
	case f.unquoted && feed >= 0:
		return dst, &syntaxError{feed, "it has a line feed, which a field cannot have without quotes: replace it, or do not set Unquoted"}
	case f.unquoted && bytes.IndexByte(text, f.comma) >= 0:
		return dst, &syntaxError{0, "it has the byte that separates fields, which it cannot have without quotes: choose another Comma, or do not set Unquoted"}
	case f.unquoted && i == 0 && f.comment != 0 && len(text) > 0 && text[0] == f.comment:
		return dst, &syntaxError{0, "it begins like a comment, and would not be read: do not set Unquoted or Comment"}
	case f.unquoted:
		return append(dst, text...), nil
	case feed >= 0 && !f.multiline:
		return dst, &syntaxError{feed, "it has a line feed: set Multiline, with which an object is read by one task, or replace it"}
	}
	if !quoted && feed < 0 && bytes.IndexByte(text, f.comma) < 0 && bytes.IndexByte(text, '"') < 0 && bytes.IndexByte(text, '\r') < 0 &&
		(i > 0 || len(text) == 0 || text[0] != f.comment && text[0] != mark[0]) {
		return append(dst, text...), nil
	}
	dst = append(dst, '"')
	for {
		n := bytes.IndexByte(text, '"')
		if n < 0 {
			break
		}
		dst = append(append(dst, text[:n+1]...), '"')
		text = text[n+1:]
	}
	return append(append(dst, text...), '"'), nil
}

// mark is the byte order mark of UTF-8. A field in quotes cannot be taken for one.
const mark = "\xef\xbb\xbf"
