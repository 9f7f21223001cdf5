package measure

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// WriteTable prints a Markdown table: the first row is the head, and the first
// text columns hold text.
func WriteTable(to io.Writer, text int, table [][]string) {
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for n, cells := range table {
		writeCells(to, text, cells, widths)
		if n == 0 {
			writeRule(to, text, widths)
		}
	}
}

func writeCells(to io.Writer, text int, cells []string, widths []int) {
	var line strings.Builder
	for i, c := range cells {
		gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if i < text {
			line.WriteString("| " + c + gap + " ")
		} else {
			line.WriteString("| " + gap + c + " ")
		}
	}
	fmt.Fprintln(to, line.String()+"|")
}

func writeRule(to io.Writer, text int, widths []int) {
	var line strings.Builder
	for i, w := range widths {
		if i < text {
			line.WriteString("|" + strings.Repeat("-", w+2))
		} else {
			line.WriteString("|" + strings.Repeat("-", w+1) + ":")
		}
	}
	fmt.Fprintln(to, line.String()+"|")
}

// ReplaceBlock puts text into a document, between the lines "<!-- NAME:
// measured -->" and "<!-- NAME: end -->".
func ReplaceBlock(file, name, text string) error {
	whole, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": measured -->\n", "<!-- "+name+": end -->"
	before, rest, found := strings.Cut(string(whole), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no line %q with %q after it, to put the figures between", file, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
