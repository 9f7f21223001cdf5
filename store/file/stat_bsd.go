//go:build darwin || freebsd || netbsd

package file

import "syscall"

// modified returns the time of a file's last change of content, in nanoseconds.
func modified(st *syscall.Stat_t) int64 { return st.Mtimespec.Nano() }

// touched returns the time of a file's last change of any kind, in nanoseconds. No
// program can set it.
func touched(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }
