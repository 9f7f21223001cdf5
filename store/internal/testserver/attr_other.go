//go:build !linux

package s3test

import "syscall"

// attributes are none where a process cannot ask to die with its parent: a
// server outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }
