package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"unicode"

	"golang.org/x/term"
)

// shown returns a text that others made, such as the name of a counter, on one line and
// with control characters made visible: a terminal would obey them.
func shown(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visible makes control characters visible, except line feeds and tabs. Errors and lists
// are written through it: they quote names, keys and texts that others made.
type visible struct {
	to io.Writer

	mu   sync.Mutex
	half bool // the last byte may begin a control character of two bytes
}

// Write writes text. It always takes all of it, or returns an error.
func (v *visible) Write(p []byte) (int, error) {
	const lead = 0xc2 // begins U+0080 to U+00BF in UTF-8; the first half are control characters
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]byte, 0, len(p)+8)
	for _, c := range p {
		switch {
		case v.half && c >= 0x80 && c < 0xa0:
			out = fmt.Appendf(out, "\\x%02x", c)
		case v.half:
			out = append(out, lead)
			fallthrough
		default:
			switch {
			case c == lead:
			case c < ' ' && c != '\n' && c != '\t' || c == 0x7f:
				out = fmt.Appendf(out, "\\x%02x", c)
			default:
				out = append(out, c)
			}
		}
		v.half = c == lead
	}
	if _, err := v.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Visible returns a writer that makes control characters visible.
func Visible(to io.Writer) io.Writer { return &visible{to: to} }

// newTable returns a writer of a table on standard output.
//
//go:noinline
func (p *Program) newTable() *tabwriter.Writer {
	return tabwriter.NewWriter(&visible{to: p.Stdout}, 0, 8, 3, ' ', 0)
}

// isTerminal reports whether standard output is a terminal.
func (p *Program) isTerminal() bool {
	out := p.Stdout
	if o, ok := out.(*printed); ok {
		out = o.to
	}
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Data returns standard output for the bytes of outputs. A terminal takes only text.
func (p *Program) Data() io.Writer {
	if p.isTerminal() {
		return &textOnly{to: &visible{to: p.Stdout}}
	}
	return p.Stdout
}

// textOnly refuses bytes that are no text.
type textOnly struct{ to io.Writer }

// Write writes text.
func (w *textOnly) Write(p []byte) (int, error) {
	if bytes.IndexByte(p, 0) >= 0 {
		return 0, errBinary
	}
	return w.to.Write(p)
}

var errBinary = errors.New("the output is not text, and was not written to the terminal: send it to a file or a program, or print its records with windrow head or windrow cat -o json")

// logs returns standard output for logs of jobs. A file or a pipe gets their bytes as
// they are.
func (p *Program) logs() io.Writer {
	if p.isTerminal() {
		return &visible{to: p.Stdout}
	}
	return p.Stdout
}

// printed is standard output. It keeps the first error, which few commands look at: a
// command whose answer does not arrive has failed.
type printed struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

// Write writes text.
func (o *printed) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// failure returns an error if something was not written.
func (o *printed) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return fmt.Errorf("standard output is not complete: %w", o.err)
}
