package cli

import "testing"

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "1k": 1024, "1K": 1024, "64MiB": 64 << 20, "1.5GiB": 3 << 29, "2g": 2 << 30,
		"5kb": 5000, "5 MB": 5_000_000, "100B": 100, "1ti": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "-1", "1km", "1kMg", "0x1p30", "nan", "inf", "1ib", "1 k b", "9999999999T", "1e9"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", text, got)
		}
	}
}
