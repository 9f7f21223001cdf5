package plan

import "strings"

// ParseInput separates the name of an input from its URL, as users write them:
// "NAME=URL", or a URL alone, for which the name is "". A URL may contain an equals
// sign itself. A name has no character of URLs, paths and patterns, and is not
// empty.
func ParseInput(text string) (name, url string) {
	name, url, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.ContainsAny(name, ":/.?*") {
		return "", text
	}
	return name, url
}
