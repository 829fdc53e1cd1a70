package node

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
	"go.uber.org/zap/zapcore"
)

// allLibp2p is the name in LogLevels for everything that libp2p logs.
const allLibp2p = "libp2p"

// libp2pSink is where libp2p's records go: to the node that was started last
// with a Log. libp2p's loggers are global and do not know which host speaks,
// so this cannot belong to one node.
var (
	libp2pSink  atomic.Pointer[sink]
	libp2pRoute sync.Once
)

// sink takes records of libp2p for one node.
type sink struct {
	handler slog.Handler
	levels  map[string]slog.Level
}

// routeLibp2p sends libp2p's records to log until the returned function is
// called. A nil log leaves them where they are.
func routeLibp2p(log *slog.Logger, levels map[string]slog.Level) (stop func()) {
	if log == nil {
		return func() {}
	}
	s := &sink{handler: log.Handler(), levels: levels}
	before := libp2pSink.Swap(s)
	libp2pRoute.Do(func() {
		gologshim.SetDefaultHandler(libp2pHandler{})
		golog.SetPrimaryCore(zapBridge{})
	})
	for _, name := range golog.GetSubsystems() { // what still logs through zap: kad-dht
		_ = golog.SetLogLevel(name, zapLevel(s.level(name)).String())
	}
	return func() { libp2pSink.CompareAndSwap(s, before) }
}

// level is the one from which a subsystem of libp2p is heard.
func (s *sink) level(name string) slog.Level {
	if l, ok := s.levels[name]; ok {
		return l
	}
	if l, ok := s.levels[allLibp2p]; ok {
		return l
	}
	return slog.LevelError
}

// libp2pHandler passes slog records of libp2p to whatever sink there is now.
type libp2pHandler struct {
	name string                            // of the subsystem
	with []func(slog.Handler) slog.Handler // what WithAttrs and WithGroup asked for
}

func (h libp2pHandler) Enabled(_ context.Context, l slog.Level) bool {
	s := libp2pSink.Load()
	return s != nil && l >= s.level(h.name)
}

func (h libp2pHandler) Handle(ctx context.Context, r slog.Record) error {
	s := libp2pSink.Load()
	if s == nil {
		return nil
	}
	to := s.handler.WithAttrs([]slog.Attr{slog.String(subsystemKey, h.name)})
	for _, with := range h.with {
		to = with(to)
	}
	return to.Handle(ctx, r)
}

// WithAttrs takes libp2p's "logger" for the subsystem.
func (h libp2pHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	attrs = slices.DeleteFunc(slices.Clone(attrs), func(a slog.Attr) bool {
		if a.Key == "logger" {
			h.name = a.Value.String()
		}
		return a.Key == "logger"
	})
	if len(attrs) == 0 {
		return h
	}
	return h.plus(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h libp2pHandler) WithGroup(name string) slog.Handler {
	return h.plus(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h libp2pHandler) plus(with func(slog.Handler) slog.Handler) libp2pHandler {
	h.with = append(slices.Clone(h.with), with)
	return h
}

// zapBridge passes the records of libraries that log through go-log's zap.
type zapBridge struct{ fields []zapcore.Field }

func (zapBridge) Enabled(zapcore.Level) bool { return libp2pSink.Load() != nil }

func (b zapBridge) With(fields []zapcore.Field) zapcore.Core {
	return zapBridge{append(slices.Clone(b.fields), fields...)}
}

func (b zapBridge) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return ce.AddCore(e, b)
	}
	return ce
}

func (b zapBridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(slices.Clone(b.fields), fields...) {
		f.AddTo(enc)
	}
	r := slog.NewRecord(e.Time, slogLevel(e.Level), e.Message, e.Caller.PC)
	for k, v := range enc.Fields {
		r.AddAttrs(slog.Any(k, v))
	}
	h := libp2pHandler{name: e.LoggerName}
	if !h.Enabled(context.Background(), r.Level) {
		return nil
	}
	return h.Handle(context.Background(), r)
}

func (zapBridge) Sync() error { return nil }

// zap counts levels by one where slog counts by four; both put info at 0.
func slogLevel(l zapcore.Level) slog.Level {
	return min(slog.Level(4*int(l)), slog.LevelError)
}

func zapLevel(l slog.Level) zapcore.Level {
	switch {
	case l < slog.LevelInfo:
		return zapcore.DebugLevel
	case l < slog.LevelWarn:
		return zapcore.InfoLevel
	case l < slog.LevelError:
		return zapcore.WarnLevel
	}
	return zapcore.ErrorLevel
}
