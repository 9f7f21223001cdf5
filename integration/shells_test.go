//go:build shells

package integration

import (
	"strings"
	"testing"
)

// These shells are not on every machine; `make test-shells` installs them.

func TestFishCompletes(t *testing.T) {
	t.Parallel()
	dir := fields(t)
	checkShell(t, func(words []string) []string {
		lines := shell(t, dir, "fish", "windrow completion fish | source; complete -C '"+strings.Join(words, " ")+"'")
		for i, line := range lines {
			word, _, _ := strings.Cut(line, "\t")
			lines[i] = strings.TrimSuffix(word, "/")
		}
		return lines
	})
}

// TestZshCompletes replaces the functions by which zsh shows candidates, since
// these need a terminal.
func TestZshCompletes(t *testing.T) {
	t.Parallel()
	dir := fields(t)
	const script = `compdef() { }
		source <(windrow completion zsh)
		_describe() { print -rl -- "${(@P)2}" }
		_files() { print -rl -- "${words[CURRENT]}"*(N) }
		words=("$@"); CURRENT=$#; _windrow; true`
	checkShell(t, func(words []string) []string {
		lines := shell(t, dir, "zsh", script, words...)
		for i, line := range lines {
			lines[i], _, _ = strings.Cut(line, ":")
		}
		return lines
	})
}
