package integration

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func compactProblem(r *rand.Rand) problem {
	p := problem{objects: texts(r, func() string { return anyLine(r) }), ordered: true}
	for _, text := range p.objects { // CR LF stays, and a last line gets its end
		p.want = append(p.want, text...)
		if text != "" && !strings.HasSuffix(text, "\n") {
			p.want = append(p.want, '\n')
		}
	}
	return p
}

func distinctProblem(r *rand.Rand) problem {
	p := problem{objects: texts(r, func() string { return anyLine(r) })}
	lines := linesOf(p.objects)
	slices.Sort(lines)
	p.want = []byte(sorted(string(joined(slices.Compact(lines)))))
	return p
}

// compressedName matches the name of an object that was compressed for a case.
var compressedName = regexp.MustCompile(`(\tmem://test/in/object-\d+)(?:\.[a-z0-9]+)(\t\d+)\n`)

// indexProblem finds words with a regular expression, byte by byte.
func indexProblem(r *rand.Rand) problem {
	p := problem{objects: texts(r, func() string { return anyLine(r) })}
	word := regexp.MustCompile(`[^ \t\n\v\f\r]+`)
	var lines []string
	for i, text := range p.objects {
		// The pattern sees each byte as one rune, so that none is invalid.
		masked := mask(text)
		offset, end := 0, 0 // in text and in masked, of what was counted
		for _, m := range word.FindAllStringIndex(masked, -1) {
			offset += utf8.RuneCountInString(masked[end:m[0]])
			end = m[0]
			length := utf8.RuneCountInString(masked[m[0]:m[1]])
			lines = append(lines, fmt.Sprintf("%s\tmem://test/in/object-%02d\t%d", text[offset:offset+length], i, offset))
		}
	}
	p.want = []byte(sorted(string(joined(lines))))
	p.clean = func(got string) string { return compressedName.ReplaceAllString(got, "$1$2\n") }
	return p
}

// mask returns s with a rune in place of each byte.
func mask(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}
