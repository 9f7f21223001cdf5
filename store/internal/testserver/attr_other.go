//go:build !linux

package testserver

import "syscall"

// attributes are empty on systems where a process cannot ask to die with its
// parent: there a server outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }

// listens holds every answer for the process's own on systems that do not tell
// whose a socket is.
func listens(int, string) bool { return true }
