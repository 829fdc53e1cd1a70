package pipe

import (
	"net/netip"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
)

// fewUnproven is how many unproven endpoints of a binder are handed to those
// who dial all that they get.
const fewUnproven = 2

// unseen marks every public endpoint of a record as unproven: no holder has
// told of it, and a binder's word for itself is none.
func unseen(f Found) Found {
	f.Unproven = Unproven(f.Binding.Endpoints, netip.Addr{})
	return f
}

// unproven lists the endpoints that nobody has seen the binder at.
func (f Found) unproven() []ma.Multiaddr {
	return f.endpoints(func(i int) bool { return slices.Contains(f.Unproven, i) })
}

// seen lists the endpoints at which a holder says to have seen the binder.
func (f Found) seen() []ma.Multiaddr {
	return f.endpoints(func(i int) bool {
		ip, ok := ipOf(f.Binding.Endpoints[i])
		return ok && isPublic(ip) && !slices.Contains(f.Unproven, i)
	})
}

// few lists the endpoints with at most fewUnproven that are unproven.
func (f Found) few() []ma.Multiaddr {
	n := 0
	return f.endpoints(func(i int) bool {
		if !slices.Contains(f.Unproven, i) {
			return true
		}
		n++
		return n <= fewUnproven
	})
}

func (f Found) endpoints(which func(i int) bool) []ma.Multiaddr {
	var out []ma.Multiaddr
	for i, a := range f.Binding.Endpoints {
		if which(i) {
			out = append(out, a)
		}
	}
	return out
}
