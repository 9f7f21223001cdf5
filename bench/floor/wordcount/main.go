// Command wordcount counts the words of a text with code written by hand for
// this one job: the floor of the job wordcount, which prints the same lines.
//
//	wordcount IN OUT
//
// Words are separated by ASCII white space. Every processor counts its piece of
// the mapped input in a hash table with open addressing; the tables are added
// up and sorted by word.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/windrow-mr/windrow/bench/floor"
)

func main() {
	os.Exit(floor.Main(os.Args, os.Stderr, func(in []byte, out *os.File) error {
		words, err := count(in, floor.Workers())
		if err != nil {
			return err
		}
		return write(out, words)
	}))
}

// count returns the words of a text and how often they occur, by word.
func count(text []byte, workers int) ([]word, error) {
	sections := floor.Sections(text, workers, space)
	tables := make([]*table, workers)
	err := floor.Each(workers, func(k int) error {
		tables[k] = newTable()
		tables[k].count(sections[k].Data)
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := tables[0]
	for _, t := range tables[1:] {
		for i := range t.slots {
			if w := &t.slots[i]; w.text != nil {
				all.add(w.hash, w.text, w.n)
			}
		}
	}
	words := make([]word, 0, all.used)
	for i := range all.slots {
		if all.slots[i].text != nil {
			words = append(words, all.slots[i])
		}
	}
	sortWords(words)
	return words, nil
}

// sortWords sorts by text. Hashes are no longer needed: the first bytes of the
// text take their place, so that most comparisons stay within the slice.
func sortWords(words []word) {
	for i := range words {
		var first [8]byte
		copy(first[:], words[i].text)
		words[i].hash = binary.BigEndian.Uint64(first[:])
	}
	slices.SortFunc(words, func(a, b word) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return bytes.Compare(a.text, b.text)
	})
}

func write(to io.Writer, words []word) error {
	w := bufio.NewWriterSize(to, 1<<20)
	line := make([]byte, 0, 256)
	for i := range words {
		line = append(line[:0], words[i].text...)
		line = append(line, '\t')
		line = strconv.AppendInt(line, words[i].n, 10)
		line = append(line, '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// word is a word and how often it occurs.
type word struct {
	hash uint64
	text []byte
	n    int64
}

// space reports whether a byte is blank, tab, line feed, vertical tab, form
// feed or carriage return.
func space(c byte) bool { return c == ' ' || c-'\t' < 5 }
