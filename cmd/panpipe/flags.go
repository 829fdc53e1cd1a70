package main

import (
	"github.com/spf13/pflag"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// span is a flag that is a span of time. Its help tells the type, and no
// default: zero means what the usage says.
type span struct{ d *api.Duration }

func spanVar(f *pflag.FlagSet, d *api.Duration, name, usage string) {
	f.Var(span{d}, name, usage)
	f.Lookup(name).DefValue = ""
}

// String implements pflag.Value.
func (s span) String() string {
	if s.d == nil || *s.d == 0 {
		return ""
	}
	text, _ := s.d.MarshalText() // cannot fail
	return string(text)
}

// Set implements pflag.Value.
func (s span) Set(text string) error { return s.d.UnmarshalText([]byte(text)) }

// Type implements pflag.Value.
func (span) Type() string { return "duration" }

// notZero refuses flags that were given as zero, which would otherwise mean
// the default.
func notZero(f *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if flag := f.Lookup(name); flag.Changed && (flag.Value.String() == "" || flag.Value.String() == "0") {
			return wire.Errorf(wire.BadRequest, "--%s is zero", name).WithNext("leave it out for the default")
		}
	}
	return nil
}
