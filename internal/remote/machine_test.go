package remote

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestProgramsAreReadAsGoReadsThem compares with packages debug/buildinfo and debug/elf,
// for programs with and without libraries.
func TestProgramsAreReadAsGoReadsThem(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	compiler, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	gofmt, err := exec.LookPath("gofmt")
	if err != nil {
		gofmt = compiler
	}
	for _, path := range []string{self, compiler, gofmt} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		got, err := readExecutable(f, info.Size())
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		want := executable{os: runtime.GOOS, arch: runtime.GOARCH}
		made, err := buildinfo.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range made.Settings {
			switch s.Key {
			case "GOOS":
				want.os = s.Value
			case "GOARCH":
				want.arch = s.Value
			}
		}
		if program, err := elf.NewFile(f); err == nil {
			want.libraries = slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}

// elfFile returns a file of ELF with one segment of each header.
func elfFile(order binary.ByteOrder, wide bool, headers []elf.ProgHeader, bodies ...[]byte) []byte {
	var out bytes.Buffer
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	if order == binary.ByteOrder(binary.BigEndian) {
		ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	at := uint64(1 << 12)
	for i := range headers {
		headers[i].Off, headers[i].Filesz = at, uint64(len(bodies[i]))
		at += headers[i].Filesz
	}
	put := func(v any) {
		if err := binary.Write(&out, order, v); err != nil {
			panic(err) // a mistake in this file
		}
	}
	if wide {
		ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
		put(elf.Header64{Ident: ident, Phoff: 64, Phentsize: 56, Phnum: uint16(len(headers))})
		for _, h := range headers {
			put(elf.Prog64{Type: uint32(h.Type), Flags: uint32(h.Flags), Off: h.Off, Filesz: h.Filesz})
		}
	} else {
		put(elf.Header32{Ident: ident, Phoff: 52, Phentsize: 32, Phnum: uint16(len(headers))})
		for _, h := range headers {
			put(elf.Prog32{Type: uint32(h.Type), Flags: uint32(h.Flags), Off: uint32(h.Off), Filesz: uint32(h.Filesz)})
		}
	}
	out.Write(make([]byte, 1<<12-out.Len()))
	return append(out.Bytes(), bytes.Join(bodies, nil)...)
}

// infoOf is build information as Go's linker writes it, of a program for a machine.
func infoOf(goos, goarch string) []byte {
	text := "0w\xaf\x0c\x92t\x08\x02A\xe1\xc1\x07\xe6\xd6\x18\xe6path\texample.com/x\nbuild\tGOARCH=" + goarch + "\nbuild\tGOOS=" + goos + "\n\xf92C1\x86\x18 r\x00\x82B\x10A\x16\xd8\xf2"
	head := append(append([]byte("\xff Go buildinf:"), 8, 2), make([]byte, 16)...)
	b := append(binary.AppendUvarint(head, 6), "go1.26"...)
	return append(append(binary.AppendUvarint(b, uint64(len(text))), text...), make([]byte, 64)...)
}

// TestProgramsOfAllMachines verifies which machine a program is for: of either order of
// bytes, either width of addresses, and other systems. A program that another one holds
// is not mistaken for it.
func TestProgramsOfAllMachines(t *testing.T) {
	t.Parallel()
	held := elf.ProgHeader{Type: elf.PT_LOAD, Flags: elf.PF_R}
	code := elf.ProgHeader{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_W | elf.PF_X}
	data := elf.ProgHeader{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_W}
	interpreter := elf.ProgHeader{Type: elf.PT_INTERP, Flags: elf.PF_R}
	other := infoOf("plan9", "386")
	other = append(other, make([]byte, (16-len(other)%16)%16)...)
	far := make([]byte, 3<<20)
	little, big := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	all := []elf.ProgHeader{held, code, data}
	for _, c := range []struct {
		name string
		file []byte
		want executable
	}{
		{"64 bits", elfFile(little, true, all, other, other, infoOf("linux", "amd64")), executable{"linux", "amd64", false}},
		{"32 bits", elfFile(little, false, all, other, other, infoOf("linux", "386")), executable{"linux", "386", false}},
		{"64 bits, big end first", elfFile(big, true, all, other, other, infoOf("linux", "s390x")), executable{"linux", "s390x", false}},
		{"32 bits, big end first", elfFile(big, false, all, other, other, infoOf("linux", "mips")), executable{"linux", "mips", false}},
		{"libraries", elfFile(little, true, []elf.ProgHeader{interpreter, data}, far[:16], infoOf("freebsd", "amd64")), executable{"freebsd", "amd64", true}},
		{"far behind", elfFile(little, true, []elf.ProgHeader{data}, append(far[:1<<20-16:1<<20-16], infoOf("linux", "arm64")...)), executable{"linux", "arm64", false}},
		{"another format", append(append([]byte("MZ"), far[:254]...), infoOf("windows", "amd64")...), executable{"windows", "amd64", false}},
		{"a mark that is not aligned", append(append(append([]byte("MZ"), far[:251]...), infoOf("plan9", "386")...), append(far[:16-len(infoOf("plan9", "386"))%16+3:1<<10], infoOf("windows", "arm64")...)...), executable{"windows", "arm64", false}},
	} {
		if got, err := readExecutable(bytes.NewReader(c.file), int64(len(c.file))); err != nil || got != c.want {
			t.Errorf("%s: got %+v (%v), want %+v", c.name, got, err, c.want)
		}
	}
}

// TestDamagedProgramsAreRefused verifies that a file that is cut off anywhere, or not a
// program made by Go, is an error that says so.
func TestDamagedProgramsAreRefused(t *testing.T) {
	t.Parallel()
	info := infoOf("linux", "amd64")
	whole := elfFile(binary.LittleEndian, true, []elf.ProgHeader{{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_W}}, info)
	if _, err := readExecutable(bytes.NewReader(whole), int64(len(whole))); err != nil {
		t.Fatal(err)
	}
	for size := 0; size < len(whole)-64; size++ {
		if _, err := readExecutable(bytes.NewReader(whole[:size]), int64(size)); !errors.Is(err, errNotGo) {
			t.Fatalf("its first %d bytes: %v", size, err)
		}
	}
	none := elfFile(binary.LittleEndian, true, []elf.ProgHeader{{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_W}}, make([]byte, 2<<20))
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, none, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBundle(path); err == nil || !strings.HasPrefix(err.Error(), path+" is not a program made by Go: ") {
		t.Errorf("of C: %v", err)
	}
}

// FuzzExecutable verifies that no file is too much for the reader, and that it says of
// each that it is for a machine, or why it cannot be read.
func FuzzExecutable(f *testing.F) {
	for _, wide := range []bool{false, true} {
		f.Add(elfFile(binary.LittleEndian, wide, []elf.ProgHeader{{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_W}}, infoOf("linux", "amd64")))
	}
	f.Add(append(make([]byte, 256), infoOf("windows", "amd64")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readExecutable(bytes.NewReader(b), int64(len(b))); err != nil && !errors.Is(err, errNotGo) {
			t.Error(err)
		}
	})
}
