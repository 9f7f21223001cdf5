package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const table = `id1,id2,id3,id4,id5,id6,v1,v2,v3
id001,id002,id0000000001,4,9,7,1,15,0.500000
id001,id002,id0000000002,4,9,7,5,3,100.000000
id003,id002,id0000000001,10,9,8,2,4,0.000001
id001,id002,id0000000001,4,9,7,3,2,0.250000
`

// TestGroup verifies the answers over a table of four rows, worked out on paper.
func TestGroup(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"1":  {"id001\t9", "id003\t2"},
		"2":  {"id001\tid002\t9", "id003\tid002\t2"},
		"3":  {"id0000000001\t6\t0.2500003333333333", "id0000000002\t5\t100"},
		"4":  {"10\t2\t4\t0.000001", "4\t3\t6.666666666666667\t33.583333333333336"},
		"5":  {"7\t9\t20\t100.75", "8\t2\t4\t0.000001"},
		"7":  {"id0000000001\t1", "id0000000002\t2"},
		"10": {"id001\tid002\tid0000000001\t4\t9\t7\t0.75\t2", "id001\tid002\tid0000000002\t4\t9\t7\t100\t1", "id003\tid002\tid0000000001\t10\t9\t8\t0.000001\t1"},
	}
	for name, q := range questions() {
		for _, text := range []string{table, strings.TrimSuffix(table, "\n")} {
			for workers := 1; workers < 6; workers++ {
				groups, err := group([]byte(text), q, workers)
				var out bytes.Buffer
				if err == nil {
					err = write(&out, groups, q)
				}
				lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				slices.Sort(lines)
				if err != nil || !slices.Equal(lines, want[name]) {
					t.Errorf("question %s by %d workers: %q, want %q (%v)", name, workers, lines, want[name], err)
				}
			}
		}
	}
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "id1", "a,b,c,d,e,f,1,2", "a,b,c,d,e,f,1,2,0.5", "a,b,c,d,e,f,1,x,0.500000", "a,b,c,d,e,f,,2,0.500000", "a,b,c,d,e,f,1,2,0.500000,9", ",b,c,d,e,f,1,2,0.500000"} {
		if _, err := group([]byte(table+line+"\n"), questions()["1"], 1); err == nil || !strings.Contains(err.Error(), "offset") {
			t.Errorf("%q: error %v, want one with the offset", line, err)
		}
	}
}
