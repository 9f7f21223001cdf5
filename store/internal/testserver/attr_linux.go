package testserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// attributes let the server die with the thread that started it, and so with a
// test process that is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// listens reports whether a process has the socket that listens on an IPv4
// address, by the kernel's table of sockets (proc(5)).
func listens(pid int, address string) bool {
	inode := listener(address)
	if inode == "" {
		return false
	}
	descriptors := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(descriptors)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(descriptors, e.Name())); err == nil && target == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// listener returns the inode of the socket that listens on an IPv4 address, ""
// if there is none.
func listener(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Is4() {
		return ""
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	ip := a.Addr().As4()
	local := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), a.Port())
	const localColumn, stateColumn, inodeColumn, listening = 1, 3, 9, "0A"
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) > inodeColumn && columns[localColumn] == local && columns[stateColumn] == listening {
			return columns[inodeColumn]
		}
	}
	return ""
}
