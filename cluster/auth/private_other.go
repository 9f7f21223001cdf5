//go:build !unix

package auth

import (
	"fmt"
	"os"
)

// private checks that a file is there: who may read it is not told by a mode.
func private(file, what string) error {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
