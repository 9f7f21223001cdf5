package main

import (
	"bytes"
	"errors"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run([]string{"records", "3"}, &out); err != nil || out.Len() != 300 {
		t.Errorf("3 records: %d bytes, error %v", out.Len(), err)
	}
	for _, args := range [][]string{nil, {"words"}, {"words", "x"}, {"words", "-1"}, {"words", "1", "2"}} {
		if err := run(args, &out); !errors.Is(err, errUsage) {
			t.Errorf("gen %q: error %v, want how to use it", args, err)
		}
	}
	if err := run([]string{"weather", "1"}, &out); err == nil || errors.Is(err, errUsage) {
		t.Errorf("unknown kind: error %v, want one that lists the kinds", err)
	}
}
