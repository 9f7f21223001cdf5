package testserver

import "syscall"

// attributes let the server die with the thread that started it, and so with a
// test process that is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
