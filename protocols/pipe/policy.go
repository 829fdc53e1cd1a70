package pipe

import (
	"slices"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// wants turns a path policy into the paths to try, in order. transports are
// those that may carry the connection, Any alone for no choice; relay says
// whether the pipe allows a relayed path. Relayed paths come last, and a
// policy of direct-only has none. Hole punching is waited for once, where no
// other way is left but the relay's.
func (p PathPolicy) wants(base reach.Want, transports []reach.Transport, relay bool) []reach.Want {
	relay = relay && p != DirectOnly
	circuit := relay && slices.Contains(transports, reach.Relay)
	direct := slices.DeleteFunc(slices.Clone(transports), func(t reach.Transport) bool { return t == reach.Relay })
	var out []reach.Want
	for i, t := range direct {
		w := base
		w.Transport = t
		if t == reach.Any {
			w.AllowRelay, w.PreferDirect = relay, relay && p == PreferDirect
		} else {
			last := i == len(direct)-1
			w.PreferDirect = last && circuit && p == PreferDirect
			w.NoPunch = !last || circuit && p != PreferDirect
		}
		out = append(out, w)
	}
	if circuit {
		w := base
		w.Transport, w.AllowRelay = reach.Relay, true
		out = append(out, w)
	}
	return out
}
