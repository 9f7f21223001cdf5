package cli

import (
	"bytes"
	"os"
	"strconv"
)

// peakMemory returns the most memory that this process ever held, in bytes, or 0
// when it is unknown. It reads /proc, which counts this program only: getrusage
// also counts what the process was before it became this program.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
			return kib << 10
		}
	}
	return 0
}
