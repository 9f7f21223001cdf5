package cli

import (
	"io"
	"log/slog"
)

// newLog returns a logger for people: the level, the message and what belongs
// to it, without the time, which a terminal does not need.
func newLog(to io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}))
}
