package plan

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// File is a file that is shipped with a job, by its contents. Functions of the job read
// it by its name.
type File struct {
	Name   string `json:"name"`
	Digest string `json:"sha256"` // 64 hexadecimal digits
	Size   int64  `json:"size"`   // bytes
}

// Limits of the files of a job.
const (
	// MostFiles is how many files a job can have.
	MostFiles = 100
	// MaxFiles is how many bytes they can have in all.
	MaxFiles = 64 << 20
)

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// CheckFiles returns an error unless a job can have these files.
func CheckFiles(files []File) error {
	if len(files) > MostFiles {
		return fmt.Errorf("files: there are %d, but at most %d are shipped with a job: make an input of them", len(files), MostFiles)
	}
	seen := make(map[string]bool, len(files))
	var total int64
	for i := range files {
		f := &files[i]
		switch {
		case f.Name == "" || len(f.Name) > 255 || !utf8.ValidString(f.Name) || strings.ContainsFunc(f.Name, func(r rune) bool { return r == '=' || unicode.IsControl(r) }):
			return fmt.Errorf("files: the name %q must be 1 to 255 bytes of UTF-8, without = and control characters", f.Name)
		case seen[f.Name]:
			return fmt.Errorf("files: there are two called %q", f.Name)
		case !digestForm.MatchString(f.Digest):
			return fmt.Errorf("files: the SHA-256 of %q must have 64 hexadecimal digits, in lower case", f.Name)
		case f.Size < 0 || f.Size > MaxFiles-total:
			return fmt.Errorf("files: with %q they have more than the %d bytes that are shipped with a job: make an input of it", f.Name, MaxFiles)
		}
		seen[f.Name] = true
		total += f.Size
	}
	return nil
}
