//go:build !linux

package testserver

import "syscall"

// attributes are empty on systems where a process cannot ask to die with its
// parent: there a server outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }
