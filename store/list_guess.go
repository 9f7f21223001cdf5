package store

import (
	"slices"
	"unicode/utf8"
)

const (
	// boundPages is how many pages a guessed range should have. With fewer,
	// ranges that prove smaller than a page waste requests.
	boundPages = 4
	// boundLetters is how many ranges the letters after a directory's first one
	// make. Only that first letter is known.
	boundLetters = 4
	// boundsMost bounds the guesses from one page.
	boundsMost = 128
)

// guessBounds divides the keys after a page, up to until, into ranges of some
// pages each, and returns their ends, in order. It uses the characters in which
// the keys of the page differ, and then the characters before them, from right
// to left: after part-0000 … part-0999 it guesses part-1 to part-9. All keys of
// the page begin with the same skip bytes.
func guessBounds(page []Object, skip int, until string) []string {
	first, last := page[0].Key, page[len(page)-1].Key
	if !utf8.ValidString(first) || !utf8.ValidString(last) {
		return nil
	}
	differ := max(skip, commonPrefix(first, last))
	for differ > skip && differ < len(last) && !utf8.RuneStart(last[differ]) {
		differ--
	}
	if differ >= len(last) {
		return nil
	}
	g := newGuess(page, differ)
	var bounds []string
	add := func(at int, runes []rune, stride int) bool {
		for i := stride - 1; i < len(runes); i += stride {
			b := last[:at] + string(runes[i])
			if until != "" && b >= until || len(bounds) == boundsMost {
				return false
			}
			bounds = append(bounds, b)
		}
		return true
	}
	// Keys of a page have g.distinct characters at the place where they differ.
	// That many make a page, and one more on the left makes as many pages as
	// there are characters in all.
	here, _ := utf8.DecodeRuneInString(last[differ:])
	runes := g.above(here)
	if !add(differ, runes, boundPages*g.distinct) {
		return bounds
	}
	pages := float64(g.size(here)) / float64(g.distinct)
	for at := differ; at > skip; {
		r, n := utf8.DecodeLastRuneInString(last[:at])
		at -= n
		switch {
		case isDigit(r) || g.hex && isHexLetter(r):
			if !add(at, g.above(r), strideOf(pages)) {
				return bounds
			}
			pages *= float64(g.size(r))
		case isLetter(r) && (at == skip || last[at-1] == '/'):
			letters := lettersAbove(r)
			if !add(at, letters, max(1, len(letters)/boundLetters)) {
				return bounds
			}
		}
	}
	return bounds
}

// strideOf returns how many characters make a range if one character makes this
// many pages.
func strideOf(pages float64) int {
	if pages <= 0 {
		return 1
	}
	return max(1, int(boundPages/pages+0.5))
}

// guess describes the characters in the keys of a page.
type guess struct {
	seen     []rune // in the part where keys differ, in order
	distinct int    // different characters at the first place where keys differ
	hex      bool   // digits, and of the letters only those of hexadecimal numbers
}

// newGuess reads the keys of a page from the place on where they differ.
func newGuess(page []Object, differ int) guess {
	seen, here := map[rune]bool{}, map[rune]bool{}
	digits, letters, others := false, false, false
	for _, o := range page {
		for i, r := range o.Key[differ:] {
			if r == utf8.RuneError {
				continue
			}
			if i == 0 {
				here[r] = true
			}
			if seen[r] {
				continue
			}
			seen[r] = true
			digits = digits || isDigit(r)
			letters = letters || isHexLetter(r)
			others = others || isLetter(r) && !isHexLetter(r)
		}
	}
	g := guess{distinct: max(1, len(here)), hex: digits && letters && !others}
	for r := range seen {
		g.seen = append(g.seen, r)
	}
	slices.Sort(g.seen)
	return g
}

// above returns the characters that can replace r and come after it.
func (g *guess) above(r rune) []rune {
	switch {
	case isDigit(r):
		runes := runesFrom(r+1, '9')
		if g.hex {
			runes = append(runes, g.hexLetters('A'-1)...)
		}
		return runes
	case g.hex && isHexLetter(r):
		return g.hexLetters(r)
	}
	i, found := slices.BinarySearch(g.seen, r)
	if found {
		i++
	}
	return g.seen[i:]
}

// hexLetters returns the letters of hexadecimal numbers after r, in the case
// that the keys use.
func (g *guess) hexLetters(r rune) []rune {
	low := rune('a')
	if !slices.ContainsFunc(g.seen, func(r rune) bool { return 'a' <= r && r <= 'f' }) {
		low = 'A'
	}
	return runesFrom(max(low, r+1), low+5)
}

// size returns how many characters can replace r.
func (g *guess) size(r rune) int {
	switch {
	case g.hex && (isDigit(r) || isHexLetter(r)):
		return 16
	case isDigit(r):
		return 10
	default:
		return len(g.seen)
	}
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isHexLetter(r rune) bool { return 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F' }

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// lettersAbove returns the letters of the same case after r.
func lettersAbove(r rune) []rune {
	if r >= 'a' {
		return runesFrom(r+1, 'z')
	}
	return runesFrom(r+1, 'Z')
}

// runesFrom returns the characters from low to high.
func runesFrom(low, high rune) []rune {
	var runes []rune
	for r := low; r <= high; r++ {
		runes = append(runes, r)
	}
	return runes
}

// commonPrefix returns the length of the common prefix of a and b, in bytes.
func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
