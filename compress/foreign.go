package compress

import (
	"bytes"
	"encoding/binary"
	"path"
	"strings"
	"unicode/utf8"
)

// ForeignSize is how many bytes of an object Foreign looks at.
const ForeignSize = 512

// foreign is a format that this package does not read.
type foreign struct {
	name  string
	begin string // its first bytes
	at    int    // where they are
	// textual formats begin with characters that a text can begin with. They
	// count only if a byte that no text has follows.
	textual bool
	advice  string
}

// Advice on what to do with an object of a foreign format.
const (
	repack  = "decompress it, or compress it again with gzip, zstd, bzip2, lz4 or snappy"
	extract = "extract its files"
	convert = "convert it to text, or read it by a format of its own"
	recode  = "convert it to UTF-8, for example with iconv"
)

// foreigners are the formats that are known by their first bytes, from their
// specifications.
var foreigners = [...]foreign{
	{name: "an xz stream", begin: "\xfd7zXZ\x00", advice: repack},
	{name: "an lzma stream", begin: "\x5d\x00\x00", advice: repack},
	{name: "a stream of compress (.Z)", begin: "\x1f\x9d", advice: repack},
	{name: "an lzip stream", begin: "LZIP", textual: true, advice: repack},
	{name: "an lzo stream", begin: "\x89LZO\x00\r\n\x1a\n", advice: repack},
	{name: "an S2 stream", begin: s2Mark, advice: "compress it again with snappy, gzip, zstd, bzip2 or lz4; s2c writes snappy with -snappy"},
	{name: "an lz4 stream of the legacy format", begin: "\x02\x21\x4c\x18", advice: "compress it again with a current lz4"},
	{name: "a zstd dictionary", begin: "\x37\xa4\x30\xec", advice: "leave it out of the input"},
	{name: "a zip archive", begin: "PK\x03\x04", advice: extract},
	{name: "an empty zip archive", begin: "PK\x05\x06", advice: extract},
	{name: "a zip archive in several parts", begin: "PK\x07\x08", advice: extract},
	{name: "a 7z archive", begin: "7z\xbc\xaf\x27\x1c", advice: extract},
	{name: "a rar archive", begin: "Rar!\x1a\x07", advice: extract},
	{name: "a tar archive", begin: "ustar", at: 257, textual: true, advice: extract},
	{name: "a Parquet file", begin: "PAR1", textual: true, advice: convert},
	{name: "an encrypted Parquet file", begin: "PARE", textual: true, advice: convert},
	{name: "an Avro file", begin: "Obj\x01", advice: convert},
	{name: "an ORC file", begin: "ORC", textual: true, advice: convert},
	{name: "an Arrow file", begin: "ARROW1\x00\x00", advice: convert},
	{name: "a Hadoop sequence file", begin: "SEQ\x06", advice: convert},
	{name: "an SQLite database", begin: "SQLite format 3\x00", advice: convert},
	{name: "UTF-32 text", begin: "\xff\xfe\x00\x00", advice: recode},
	{name: "UTF-32 text", begin: "\x00\x00\xfe\xff", advice: recode},
	{name: "UTF-16 text", begin: "\xff\xfe", advice: recode},
	{name: "UTF-16 text", begin: "\xfe\xff", advice: recode},
}

// unmarked are the extensions of formats that have no mark of their own. They count
// only if the bytes are not text.
var unmarked = map[string]string{
	".br":     "a brotli stream",
	".snappy": "a snappy stream without the framing format, or with that of Hadoop",
	".lzo":    "an lzo stream",
}

// Foreign returns the name of the format of an object that is no text, by its first
// ForeignSize bytes, or all of a shorter one; and advice on what to do. The name of
// the object decides only for formats without a mark of their own. The answer is ""
// for text and for unknown formats. The codecs of this package are not foreign: see
// Detect.
func Foreign(name string, head []byte) (format, advice string) {
	head = head[:min(len(head), ForeignSize)]
	for i := range foreigners {
		f := &foreigners[i]
		if len(head) <= f.at || !bytes.HasPrefix(head[f.at:], []byte(f.begin)) {
			continue
		}
		if !f.textual || hasControls(head) {
			return f.name, f.advice
		}
	}
	switch {
	case isZlib(head):
		return "a zlib stream", repack
	case isWide(head):
		return "UTF-16 text without a byte order mark", recode
	}
	if format = unmarked[strings.ToLower(path.Ext(name))]; format != "" && (hasControls(head) || !validText(head)) {
		return format, repack
	}
	return "", ""
}

// hasControls reports whether bytes have a control character that texts do not have.
func hasControls(head []byte) bool {
	return bytes.ContainsFunc(head, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\v' && r != '\f' && r != '\r' && r != '\x1b'
	})
}

// validText reports whether bytes are UTF-8, the last character perhaps cut.
func validText(head []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(head); cut++ {
		if utf8.Valid(head[:len(head)-cut]) {
			return cut == 0 || !utf8.FullRune(head[len(head)-cut:])
		}
	}
	return false
}

// isZlib reports whether bytes begin with the header of zlib (RFC 1950): deflate
// with a window of 32 KiB, a check that makes the header a multiple of 31, and no
// dictionary. Text can begin like that ("x^"), and has no control characters.
func isZlib(head []byte) bool {
	return len(head) > 2 && head[0] == 0x78 && binary.BigEndian.Uint16(head)%31 == 0 && head[1]&0x20 == 0 && hasControls(head)
}

// leastWide is how many characters of UTF-16 without a mark are recognised.
const leastWide = 8

// isWide reports whether bytes are letters of ASCII in UTF-16: every other byte is
// zero.
func isWide(head []byte) bool {
	if len(head) < 2*leastWide {
		return false
	}
	for zero := range 2 {
		n := 0
		for n < leastWide && head[2*n+zero] == 0 && isLetterOrSpace(head[2*n+1-zero]) {
			n++
		}
		if n == leastWide {
			return true
		}
	}
	return false
}

// isLetterOrSpace reports whether a byte is printable in ASCII, or white space.
func isLetterOrSpace(b byte) bool { return b >= ' ' && b < 0x7f || b >= '\t' && b <= '\r' }
