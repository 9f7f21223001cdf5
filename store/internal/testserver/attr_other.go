//go:build !linux

package testserver

import "syscall"

// attributes are none where a process cannot ask to die with its parent: a
// server outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }
