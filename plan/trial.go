package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Trial limits how much of its input a job reads, to try it out. The zero Trial does not.
type Trial struct {
	// Objects is how many objects of each input are read, the first ones by name. 0: all.
	Objects int `json:"objects,omitempty"`
	// Share is the share of the rest that is read, above 0 and below 1: some splits, as far
	// apart as possible, of each input at least one. 0: all.
	Share float64 `json:"share,omitempty"`
}

// Check returns an error for values that mean nothing.
func (t Trial) Check() error {
	switch {
	case t.Objects < 0:
		return fmt.Errorf("a limit of %d objects is negative; 0 means all", t.Objects)
	case t.Share < 0 || t.Share > 1 || math.IsNaN(t.Share):
		return fmt.Errorf("a sample of %v is not between 0 and 1; 0 means all", t.Share)
	}
	return nil
}

// Samples reports whether only a share of the input is read.
func (t Trial) Samples() bool { return t.Share > 0 && t.Share < 1 }

// ParseShare reads a share as users write it: "1%" or "0.01".
func ParseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share > 0 && share <= 1) {
		return 0, fmt.Errorf("%q is not a share above 0 and up to 100%%, such as 1%% or 0.01", text)
	}
	return share, nil
}
