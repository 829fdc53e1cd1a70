package node

import (
	"context"
	"log/slog"
)

// subsystemKey is the attribute that every record carries.
const subsystemKey = "subsystem"

// subsystem gives a part of the node its logger: the embedder's, with the
// part's name, and from the part's own level on if it has one.
func subsystem(log *slog.Logger, name string, levels map[string]slog.Level) *slog.Logger {
	h := log.Handler()
	if level, ok := levels[name]; ok {
		h = levelHandler{h, level}
	}
	return slog.New(h).With(subsystemKey, name)
}

// levelHandler puts a level of its own in the place of the handler's.
type levelHandler struct {
	slog.Handler
	level slog.Level
}

func (h levelHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.level}
}

func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.level}
}
