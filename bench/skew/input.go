package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// input is a file of lines "key value".
type input struct {
	path  string
	pairs int64
	keys  int64 // different ones
	sum   int64 // of the values
}

// values is how many different values there are.
const values = 1_000_000

// even writes pairs whose keys are all as frequent, and skewed pairs of which one key has
// hot of 100 and the others the frequencies of Zipf's law with exponent 1.5.
func even(path string, pairs int64, keys int) (input, error) {
	return write(path, pairs, keys, func(r *rand.Rand) int { return r.IntN(keys) })
}

func skewed(path string, pairs int64, keys, hot int) (input, error) {
	var zipf *rand.Zipf
	return write(path, pairs, keys, func(r *rand.Rand) int {
		if zipf == nil {
			zipf = rand.NewZipf(r, 1.5, 1, uint64(keys-2))
		}
		if r.IntN(100) < hot {
			return 0
		}
		return 1 + int(zipf.Uint64())
	})
}

func write(path string, pairs int64, keys int, draw func(r *rand.Rand) int) (in input, err error) {
	in = input{path: path, pairs: pairs}
	file, err := os.Create(path)
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	seen := make([]bool, keys)
	var line []byte
	for range pairs {
		key, value := draw(r), r.Int64N(values)
		if !seen[key] {
			seen[key] = true
			in.keys++
		}
		in.sum += value
		line = fmt.Appendf(line[:0], "k%07d ", key)
		line = append(strconv.AppendInt(line, value, 10), '\n')
		if _, err := w.Write(line); err != nil {
			return in, err
		}
	}
	return in, w.Flush()
}

// tally takes the output of a job.
type tally struct {
	rest      []byte
	keys, sum int64
}

func (t *tally) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	for {
		line, rest, whole := bytes.Cut(t.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		_, number, _ := bytes.Cut(line, []byte("\t"))
		n, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil {
			return 0, err
		}
		t.keys++
		t.sum += n
		t.rest = rest
	}
}

// complete returns an error unless the output has all keys, and sums have all values.
func (t *tally) complete(in input, sums bool) error {
	if t.keys != in.keys || sums && t.sum != in.sum {
		return fmt.Errorf("%d keys with a sum of %d, and the input has %d with %d", t.keys, t.sum, in.keys, in.sum)
	}
	return nil
}
