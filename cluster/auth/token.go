package auth

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	leastToken = 32      // bytes
	mostToken  = 4 << 10 // bytes
)

// readTokens returns the tokens of a file; none where file is "".
func readTokens(file string) (tokens, error) {
	lines, err := readLines(file)
	if err != nil {
		return nil, err
	}
	t := make(tokens, len(lines))
	for i, line := range lines {
		t[i] = sha256.Sum256([]byte(line))
	}
	return t, nil
}

// readLines returns the lines of a file of tokens, each of them checked.
func readLines(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	if err := Private(file, "token"); err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	defer f.Close()
	var lines []string
	in := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" {
			continue
		}
		if err := checkToken(line); err != nil {
			return nil, fmt.Errorf("token: line %d of %s %w; make one by %s", n, file, err, howTo)
		}
		lines = append(lines, line)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("token: %s: %w", file, err)
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("token: %s is empty; make one by %s", file, howTo)
	}
	return lines, nil
}

func checkToken(line string) error {
	if len(line) < leastToken || len(line) > mostToken {
		return fmt.Errorf("has %d bytes, and a token has %d to %d", len(line), leastToken, mostToken)
	}
	for _, c := range []byte(line) {
		if c <= ' ' || c > '~' {
			return errors.New("has something else than visible characters of ASCII")
		}
	}
	return nil
}
