package executor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// decompress returns the decompressed bytes of a section. An error about the
// bytes at rest has the object's name.
func (in *inputs) decompress(s *pipeline.Section, r *raw) (io.ReadCloser, error) {
	if s.Object.Codec == "" {
		return r, nil
	}
	u := &unpacked{raw: r, object: s.Object}
	codec, err := in.codec(s.Object, u)
	if err != nil {
		return nil, err
	}
	inBlocks := in.lines && s.Object.Size < plan.MaxPlaced
	blocked := inBlocks && codec == compress.Gzip
	if blocked && !s.Part() {
		if blocked, err = u.blocked(); err != nil {
			return nil, err
		}
	}
	switch {
	case inBlocks && codec == compress.Bzip2:
		part, err := in.codecs.OpenBlocks(u.in, s.Offset, s.Offset+s.Length)
		if err != nil {
			return nil, err
		}
		u.of(s, part)
		s.Blocks = true
	case blocked:
		part, err := in.codecs.OpenMembers(u.in, s.Offset, s.Offset+s.Length, s.Object.Size)
		if err != nil {
			return nil, err
		}
		u.of(s, part)
		s.Blocks = true
	case s.Part():
		part, err := in.codecs.OpenFrames(u.in, compress.FramesPart{From: s.Offset, To: s.Offset + s.Length, Plain: s.PlainOffset, PlainLength: s.PlainLength})
		if err != nil {
			return nil, err
		}
		u.of(s, part)
	default:
		if u.plain, err = in.codecs.Open(codec, u.in); err != nil {
			return nil, err
		}
	}
	if in.text && codec != compress.None && s.Offset == 0 {
		if in.plain == nil {
			in.plain = make([]byte, compress.ForeignSize)
		}
		u.plain = &checked{ReadCloser: u.plain, object: s.Object, codec: codec, buffer: in.plain,
			inner: strings.TrimSuffix(s.Object.Key, path.Ext(s.Object.Key))}
	}
	return u, nil
}

// headSize is how many bytes are read first of an object whose codec is
// unknown: enough to detect it, and all of a small object.
const headSize = 4 << 10

// codec returns the codec of an object. It reads the first bytes if the codec
// must be detected.
func (in *inputs) codec(o plan.Object, u *unpacked) (compress.Codec, error) {
	u.in = u.raw
	if o.Codec != compress.Auto {
		return compress.Parse(o.Codec)
	}
	if in.head == nil {
		in.head = make([]byte, headSize)
	}
	head := in.head[:min(o.Size, headSize)]
	if _, err := io.ReadFull(u.raw, head); err != nil {
		return compress.None, err
	}
	u.in = io.MultiReader(bytes.NewReader(head), u.raw)
	codec := compress.Detect(head)
	if in.text && codec == compress.None {
		return codec, CheckText(o, head)
	}
	return codec, nil
}

// blocked reports whether the object is in BGZF.
func (u *unpacked) blocked() (bool, error) {
	head := make([]byte, min(u.object.Size, compress.HeadSize))
	if _, err := io.ReadFull(u.in, head); err != nil {
		return false, err
	}
	u.in = io.MultiReader(bytes.NewReader(head), u.in)
	return compress.Blocked(head), nil
}

// CheckText returns a *FormatError if an object, which is read as text, begins like an
// object of a format that is none.
func CheckText(o plan.Object, head []byte) error {
	name, advice := compress.Foreign(o.Key, head)
	if name == "" {
		return nil
	}
	return &FormatError{Object: o.Name(), What: "it is " + name + ", and the job reads text", Advice: advice + ", or give --decompress none to read its bytes as they are"}
}

// FormatError says that an object has another format than the one that it is read in.
// It occurs again: the request is wrong.
type FormatError struct {
	Object string
	What   string // "it is an xz stream, and the job reads text"
	Advice string
}

// Error names the object, its format, and what to do.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: %s: %s; or leave it out of the input by a pattern that matches only the others, such as 'DIR/**/*.txt'", e.Object, e.What, e.Advice)
}

// FailureKind returns plan.Invalid: the request names an object that the job cannot
// read.
func (e *FormatError) FailureKind() plan.Kind { return plan.Invalid }

// checked is a decompressed object that must be text. It looks at the first bytes
// before it hands them on.
type checked struct {
	io.ReadCloser
	object plan.Object
	inner  string // the name of the object without its extension
	codec  compress.Codec
	buffer []byte
	began  bool
	head   []byte // bytes of buffer that were not handed on
	err    error  // that ended the look
}

// Read reads decompressed bytes.
func (c *checked) Read(p []byte) (int, error) {
	if !c.began {
		c.began = true
		c.look()
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.ReadCloser.Read(p)
}

// look reads the first bytes, and refuses those of foreign formats, and of a codec:
// the object was compressed twice.
func (c *checked) look() {
	n := 0
	var err error
	for n < len(c.buffer) && err == nil {
		var more int
		more, err = c.ReadCloser.Read(c.buffer[n:])
		n += more
	}
	c.head, c.err = c.buffer[:n], err
	if err != nil && !errors.Is(err, io.EOF) {
		return // the stream is damaged, and what came out of it says nothing
	}
	const asIs = ", or decompress it once and give --decompress none to read the bytes as they are"
	if again := compress.Detect(c.head); again != compress.None {
		c.refuse(fmt.Sprintf("it is compressed twice: its %s stream holds one of %s", c.codec, again), "decompress it once, or give --decompress none to read its bytes as they are")
	} else if name, advice := compress.Foreign(c.inner, c.head); name != "" {
		c.refuse(fmt.Sprintf("its %s stream holds %s", c.codec, name), advice+asIs)
	}
}

func (c *checked) refuse(what, advice string) {
	c.head, c.err = nil, &FormatError{Object: c.object.Name(), What: what + ", and the job reads text", Advice: advice}
}

// InputError says that an object's bytes, as the store gave them, are not valid
// in its codec, or exceed a limit. It occurs again unless the bytes were changed
// on the way.
type InputError struct {
	Object string
	Err    error
}

// Error names the object.
func (e *InputError) Error() string { return e.Object + ": " + e.Err.Error() }

// Unwrap returns the error of the codec.
func (e *InputError) Unwrap() error { return e.Err }

// unpacked is a compressed object, or a part of one.
type unpacked struct {
	raw    *raw
	in     io.Reader // raw, preceded by the bytes already read of it
	plain  io.ReadCloser
	object plan.Object
}

// of makes u the lines of a part of its object.
func (u *unpacked) of(s *pipeline.Section, part compress.Part) {
	l := &seam{Part: part, skipping: s.Offset > 0, record: s.Record}
	u.plain, s.Place = l, l.place
}

// Read reads decompressed bytes.
func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.plain.Read(p)
	if _, refused := errors.AsType[*FormatError](err); err != nil && !errors.Is(err, io.EOF) && u.raw.err == nil && !refused {
		err = &InputError{u.object.Name(), err}
	}
	return n, err
}

// Close closes the codec and the object beneath it.
func (u *unpacked) Close() error {
	err := u.plain.Close()
	if e := u.raw.Close(); err == nil {
		err = e
	}
	return err
}

// seam reads the lines of a part of a compressed object. They begin behind the
// first line feed at or after the part's first byte, or with the first part.
// They end behind the first line feed at or after the first byte behind the
// part. So each line of an object belongs to one part, without any knowledge of
// the other parts.
type seam struct {
	compress.Part
	skipping bool
	skipped  int64
	ended    bool
	record   *int64 // offset of the record that is being read; nil if it is unknown
}

// Read reads bytes of the part's lines.
func (s *seam) Read(p []byte) (int, error) {
	if s.record != nil {
		s.Forget(s.skipped + *s.record)
	}
	for !s.ended {
		n, err := s.Part.Read(p)
		if n == 0 {
			return 0, err
		}
		if s.skipping {
			n = copy(p, p[s.skip(p[:n]):n])
		}
		if end := bytes.IndexByte(p[:n], '\n') + 1; s.Past() && end > 0 {
			n, s.ended = end, true
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// skip returns how many of these bytes belong to a line that the previous part
// reads.
func (s *seam) skip(p []byte) int {
	n := len(p)
	if end := bytes.IndexByte(p, '\n') + 1; s.Past() {
		s.ended = true // that line continues behind this part
	} else if end > 0 {
		n, s.skipping = end, false
	}
	s.skipped += int64(n)
	return n
}

// place returns the place of byte n of those that Read returned.
func (s *seam) place(n int64) int64 { return s.Place(s.skipped + n) }
