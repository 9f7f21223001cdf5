package avro

import (
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/jobs/internal/window"
)

// Info is what the header of a file says.
type Info struct {
	Schema string // in JSON
	Codec  string // of the blocks, such as "null" or "deflate"
}

// Inspect reads the header of a file, and no records: it shows which fields a struct can
// have that reads the file. Name is for errors.
func Inspect(name string, r io.Reader) (Info, error) {
	h, err := readHeader(window.New(r, make([]byte, headBuffer), 0), func(offset int64) string { return fmt.Sprintf("byte %d of %s", offset, name) })
	if err != nil {
		return Info{}, err
	}
	return Info{h.schema, h.codec}, nil
}
