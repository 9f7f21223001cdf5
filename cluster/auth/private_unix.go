//go:build unix

package auth

import (
	"fmt"
	"os"
	"syscall"
)

// Private refuses a file with a secret that others can read. Its group may read
// it if another user owns the file and gave it to this process by the group, as
// Kubernetes does.
func Private(file, what string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	mode := info.Mode().Perm()
	open := mode&0o007 != 0
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == os.Geteuid() {
		open = mode&0o077 != 0
	}
	if open {
		return fmt.Errorf("%s: %s can be read by others (its mode is %04o): chmod 600 %[2]s", what, file, mode)
	}
	return nil
}

// descriptors returns how many descriptors this process may have.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return unknownDescriptors
	}
	return int(min(uint64(limit.Cur), 1<<30)) //nolint:unconvert // it is signed on some systems
}
