//go:build !linux

package testserver

import "syscall"

// attributes are empty on systems where a process cannot ask to die with its
// parent: there a server outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }

// listens reports true: other systems have no such table of sockets.
func listens(int, string) bool { return true }
