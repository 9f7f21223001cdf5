package plan

import (
	"errors"
	"fmt"
)

// BadRecord is a line of the output QuarantineDir: a record, or a key of a shuffle, that a
// job left out.
type BadRecord struct {
	Job    JobID  `json:"job"`
	Task   string `json:"task"`
	Input  string `json:"input,omitempty"`
	Object string `json:"object,omitempty"` // its name; "" for a key
	ETag   string `json:"etag,omitempty"`
	Offset *int64 `json:"offset,omitempty"` // where the record begins
	Key    string `json:"key,omitempty"`    // of a bad key of a shuffle
	Stage  string `json:"stage"`
	Error  string `json:"error"`
	At     string `json:"at,omitempty"` // file and line of a panic
	Record string `json:"record,omitempty"`
}

// CheckReplay returns an error unless a job with such options can replay the bad records of
// another one, "" for none.
func CheckReplay(of JobID, onExists string, t Trial) error {
	switch {
	case of == "":
		return nil
	case !of.Valid():
		return fmt.Errorf("%q is not the id of a job: it has 26 digits and capital letters, as the summary of the job and its quarantine show it", string(of))
	case onExists != "append":
		return errors.New("it adds to the output of the job: leave --on-exists out, or give append")
	case t != Trial{}:
		return errors.New("it reads the bad records of the job, and nothing else of the input: leave out --limit-objects and --sample")
	}
	return nil
}

// Valid reports whether the id has the form of one: a ULID. It becomes part of keys.
func (id JobID) Valid() bool {
	const length = 26
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(id) == length
}
