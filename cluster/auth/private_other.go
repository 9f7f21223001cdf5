//go:build !unix

package auth

import (
	"fmt"
	"os"
)

// Private checks that a file exists. A mode does not show who may read it here.
func Private(file, what string) error {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// descriptors returns how many descriptors this process may have.
func descriptors() int { return unknownDescriptors }
