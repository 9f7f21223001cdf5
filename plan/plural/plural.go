// Package plural writes numbers of things for people: "1 part", "1,234 parts". Code
// that writes messages and summaries calls it. It is pure.
//
// It is part of the engine, and may change between minor versions.
package plural

import (
	"strconv"
	"strings"
)

// Of returns a number with its noun, which is given in the singular.
func Of[N ~int | ~int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Number(n) + " " + noun
}

// Number returns n with its digits in groups of three.
func Number[N ~int | ~int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
