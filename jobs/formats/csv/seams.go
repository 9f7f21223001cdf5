package csv

import (
	"bytes"
)

// seams finds where records begin when fields may have line feeds. A line feed ends a
// record only outside of quotes, and that depends on all bytes before it. So seams follows
// every state in which a byte of a valid object can be, until those that are left agree.
// A wrong state soon meets a quote at a place where none can be. If it does not, seams
// reads the object from its beginning: it never guesses.
//
// A state that is right can end too, at a mistake of the object. Then a wrong one may be
// left. So a section that has read its last record asks seams where the next one begins,
// and compares that with what it knows. The first section knows where it begins. So every
// section begins at the right byte, or one before it has found the mistake.
type seams struct {
	size   int64 // of the object
	limit  int64 // length of the longest record
	read   func(p []byte, off int64) error
	class  [256]uint8
	next   [1 << stateBits][classes]state
	buffer []byte
}

// state is a set of places in a record.
type state uint8

const (
	atLine     state = 1 << iota // where a record begins
	atField                      // where another field begins
	inText                       // in a field without quotes
	afterQuote                   // behind a quote in quotes: they end, or the quote is data
	afterCR                      // the same, and a CR
	inQuotes
	inComment
	stateBits = 7
	// outside are those of a byte that is not in quotes and in no comment.
	outside = atLine | atField | inText | afterQuote | afterCR
)

// Classes of bytes.
const (
	other uint8 = iota
	aQuote
	aComma
	aFeed
	aCR
	aComment
	classes
)

// steps are the places behind a byte of each class; 0 where an object has no such byte.
var steps = map[state][classes]state{
	atLine:     {other: inText, aQuote: inQuotes, aComma: atField, aFeed: atLine, aCR: inText, aComment: inComment},
	atField:    {other: inText, aQuote: inQuotes, aComma: atField, aFeed: atLine, aCR: inText, aComment: inText},
	inText:     {other: inText, aComma: atField, aFeed: atLine, aCR: inText, aComment: inText},
	afterQuote: {aQuote: inQuotes, aComma: atField, aFeed: atLine, aCR: afterCR},
	afterCR:    {aFeed: atLine},
	inQuotes:   {other: inQuotes, aQuote: afterQuote, aComma: inQuotes, aFeed: inQuotes, aCR: inQuotes, aComment: inQuotes},
	inComment:  {other: inComment, aQuote: inComment, aComma: inComment, aFeed: atLine, aCR: inComment, aComment: inComment},
}

// newSeams returns the seams of an object of a size, of which read reads bytes.
func newSeams(comma, comment byte, size int64, limit int, read func(p []byte, off int64) error) *seams {
	s := &seams{size: size, limit: int64(limit), read: read}
	s.class['"'], s.class['\n'], s.class['\r'] = aQuote, aFeed, aCR
	s.class[comma] = aComma
	if comment != 0 {
		s.class[comment] = aComment
	}
	for set := range state(1 << stateBits) {
		for from, to := range steps {
			for c := range classes {
				if set&from != 0 {
					s.next[set][c] |= to[c]
				}
			}
		}
	}
	return s
}

// Bounds of the pieces that are read at once, in bytes. Most seams are found in the first.
const (
	firstPiece = 64 << 10
	mostPiece  = 1 << 20
)

// piece returns bytes of the object from off on, n at most.
func (s *seams) piece(off, n int64) ([]byte, error) {
	n = min(n, s.size-off)
	if int64(len(s.buffer)) < n {
		s.buffer = make([]byte, n)
	}
	return s.buffer[:n], s.read(s.buffer[:n], off)
}

// guess is a set of places where a byte may be, and what follows from it.
type guess struct {
	at     state
	begins int64 // the first record behind that byte; negative as long as it is unknown
	from   int64 // bytes since the last record began
}

// begin returns the offset of the first record that begins at off, which is not 0, or
// behind it. It is the size of the object if there is none.
func (s *seams) begin(off int64) (int64, error) {
	if off <= int64(len(mark)) { // the places of a mark are not those of a record
		return s.exact(off)
	}
	// A record begins at off if the byte in front of it ends another one.
	guesses := []guess{{at: outside, begins: -1}, {at: inQuotes, begins: -1}}
	if s.next[atLine][aComment] != 0 {
		guesses = append(guesses, guess{at: inComment, begins: -1})
	}
	at, n := off-1, int64(firstPiece)
	for at < s.size && at <= off+2*s.limit {
		piece, err := s.piece(at, n)
		if err != nil {
			return 0, err
		}
		for i := range guesses {
			s.follow(&guesses[i], piece, at)
		}
		at, n = at+int64(len(piece)), min(2*n, mostPiece)
		if at == s.size {
			break
		}
		if begins, ok := agreed(guesses); ok {
			return begins, nil
		}
	}
	if at == s.size {
		for i := range guesses {
			g := &guesses[i]
			if g.at &^= inQuotes; g.begins < 0 {
				g.begins = s.size
			}
		}
		if begins, ok := agreed(guesses); ok {
			return begins, nil
		}
	}
	return s.exact(off)
}

// follow reads a piece of the object, which is at an offset, from the places of g.
func (s *seams) follow(g *guess, piece []byte, offset int64) {
	if g.at == inQuotes && bytes.IndexByte(piece, '"') < 0 {
		if g.from += int64(len(piece)); g.from > s.limit {
			g.at = 0 // no record is as long
		}
		return
	}
	at := g.at
	if g.begins >= 0 && at != 0 && bytes.IndexByte(piece, '"') < 0 {
		// Only what follows the last line feed matters.
		if n := bytes.LastIndexByte(piece, '\n'); n >= 0 {
			at, g.from = atLine, 0
			offset, piece = offset+int64(n)+1, piece[n+1:]
		}
	}
	for i, b := range piece {
		if at = s.next[at][s.class[b]]; at == 0 {
			break
		}
		if g.from++; b == '\n' && at == atLine {
			if g.from = 0; g.begins < 0 {
				g.begins = offset + int64(i) + 1
			}
		} else if at == inQuotes && g.from > s.limit {
			at = 0
			break
		}
	}
	g.at = at
}

// agreed returns where the next record begins, if all guesses that are left know it and
// are of one opinion.
func agreed(guesses []guess) (begins int64, ok bool) {
	begins = -1
	for _, g := range guesses {
		switch {
		case g.at == 0:
		case g.begins < 0 || begins >= 0 && begins != g.begins:
			return 0, false
		default:
			begins = g.begins
		}
	}
	return begins, begins >= 0
}

// mistake is a byte of the object where none of a valid one can be.
type mistake struct {
	offset int64
	say    string
}

func (m *mistake) Error() string { return m.say }

// exact is begin for an object that is read from its beginning.
func (s *seams) exact(off int64) (int64, error) {
	begin := int64(0)
	if head, err := s.piece(0, int64(len(mark))); err != nil {
		return 0, err
	} else if string(head) == mark {
		begin = int64(len(mark))
	}
	return s.walk(begin, off)
}

// walk returns the offset of the first record that begins at off or behind it, where
// another one begins at an offset before it. It fails at the first byte that can not be in
// an object.
func (s *seams) walk(from, off int64) (int64, error) {
	place, quote := atLine, int64(0)
	for n := int64(firstPiece); from < s.size; n = min(2*n, mostPiece) {
		piece, err := s.piece(from, n)
		if err != nil {
			return 0, err
		}
		for i, b := range piece {
			at := from + int64(i)
			next := s.next[place][s.class[b]]
			switch {
			case next == 0 && place == inText:
				return 0, &mistake{at, quoteInText}
			case next == 0:
				return 0, &mistake{at, textAfterQuote}
			case next == inQuotes && place != inQuotes && place != afterQuote:
				quote = at
			case next == atLine && at+1 >= off:
				return at + 1, nil
			}
			place = next
		}
		from += int64(len(piece))
	}
	if place == inQuotes {
		return 0, &mistake{quote, "a quote is opened that is not closed before the object ends: " + closeIt}
	}
	return s.size, nil
}
