package remote

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
)

// This file reads what debug/buildinfo and debug/elf read. They bring along readers of
// debugging data and of compressed sections, 0.9 MB of every job's program.

// executable is what the file of a program says about it.
type executable struct {
	os, arch  string
	libraries bool // it needs some that are not in the file
}

var errNotGo = errors.New("the file has no build information of Go")

// readExecutable reads the file of a program made by Go. The error is errNotGo if
// it is no such file.
func readExecutable(r io.ReaderAt, size int64) (executable, error) {
	e := executable{os: runtime.GOOS, arch: runtime.GOARCH}
	all, err := segments(r)
	if err != nil {
		return e, err
	}
	data := segment{size: size} // where the build information is
	for _, s := range slices.Backward(all) {
		switch {
		case s.kind == elfInterpreter:
			e.libraries = true
		case s.kind == elfLoaded && s.flags&(elfWritable|elfExecutable) == elfWritable:
			data = s // in the end, the first of them
		}
	}
	text, err := buildInfo(r, data)
	if err != nil {
		return e, err
	}
	info, err := debug.ParseBuildInfo(text)
	if err != nil {
		return e, errNotGo
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			e.os = s.Value
		case "GOARCH":
			e.arch = s.Value
		}
	}
	return e, nil
}

// segment is an entry of the program header of an ELF file.
type segment struct {
	kind, flags  uint32
	offset, size int64 // in the file
}

// The kinds and flags of segments.
const (
	elfLoaded      = 1 // PT_LOAD
	elfInterpreter = 3 // PT_INTERP: the program that loads libraries

	elfExecutable = 1 // PF_X
	elfWritable   = 2 // PF_W
)

// segments returns the segments of an ELF file, none for other files.
func segments(r io.ReaderAt) ([]segment, error) {
	var head [64]byte
	if n, err := r.ReadAt(head[:], 0); n < len(head) {
		return nil, short(err)
	}
	if !bytes.HasPrefix(head[:], []byte("\x7fELF")) {
		return nil, nil
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	begin, width, count := int64(order.Uint32(head[28:])), int(order.Uint16(head[42:])), int(order.Uint16(head[44:]))
	least := 32
	if wide {
		begin, width, count = int64(order.Uint64(head[32:])), int(order.Uint16(head[54:])), int(order.Uint16(head[56:]))
		least = 56
	}
	if width != least || begin < 0 {
		return nil, errNotGo
	}
	table := make([]byte, count*width)
	if n, err := r.ReadAt(table, begin); n < len(table) {
		return nil, short(err)
	}
	all := make([]segment, count)
	for i := range all {
		b, s := table[i*width:], &all[i]
		s.kind = order.Uint32(b)
		if wide {
			s.flags, s.offset, s.size = order.Uint32(b[4:]), int64(order.Uint64(b[8:])), int64(order.Uint64(b[32:]))
		} else {
			s.flags, s.offset, s.size = order.Uint32(b[24:]), int64(order.Uint32(b[4:])), int64(order.Uint32(b[16:]))
		}
		if s.offset < 0 || s.size < 0 {
			return nil, errNotGo
		}
	}
	return all, nil
}

// short returns the error of a read that ended early.
//
//go:noinline
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return errNotGo
	}
	return err
}

// The build information begins at a multiple of infoAlign. It has a header, and then two
// strings, each after its length: the version of Go, and the text between guards.
const (
	infoAlign  = 16
	infoHeader = 32
	infoInline = 2 // in the flags: the strings follow
	infoGuard  = 16
)

// buildInfo returns the text of the build information in a segment.
func buildInfo(r io.ReaderAt, s segment) (string, error) {
	// A constant of these bytes would look like build information in this program's file.
	mark := append([]byte{0xff}, " Go buildinf:"...)
	chunk := make([]byte, 64<<10)
	for from := s.offset / infoAlign * infoAlign; ; from += int64(len(chunk)) {
		n, err := r.ReadAt(chunk, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		n = int(min(int64(n), s.offset+s.size-from))
		for at := 0; at+infoAlign <= n; at += infoAlign {
			if b := chunk[at:n]; bytes.HasPrefix(b, mark) && b[len(mark)+1]&infoInline != 0 {
				return infoText(r, from+int64(at)+infoHeader)
			}
		}
		if n < len(chunk) {
			return "", errNotGo
		}
	}
}

// infoText reads the strings of build information at an offset, and returns the text.
func infoText(r io.ReaderAt, at int64) (text string, err error) {
	for range 2 { // the version, the text
		var b [binary.MaxVarintLen64]byte
		if n, err := r.ReadAt(b[:], at); n < len(b) {
			return "", short(err)
		}
		size, n := binary.Uvarint(b[:])
		if n <= 0 || size > 1<<20 {
			return "", errNotGo
		}
		s := make([]byte, size)
		if n, err := r.ReadAt(s, at+int64(n)); n < len(s) {
			return "", short(err)
		}
		at += int64(n) + int64(size)
		text = string(s)
	}
	if len(text) <= 2*infoGuard {
		return "", nil
	}
	return text[infoGuard : len(text)-infoGuard], nil
}
