package router

import (
	"net/netip"
	"testing"
)

func TestAnswersOfNATPMP(t *testing.T) {
	told := netip.MustParseAddr("24.20.1.1")
	for _, c := range []struct {
		name string
		in   []byte
		want netip.Addr
		ok   bool
	}{
		{"an address", []byte{0, 128, 0, 0, 0, 0, 0, 9, 24, 20, 1, 1}, told, true},
		{"no address", []byte{0, 128, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0}, netip.Addr{}, true},
		{"no address, short", []byte{0, 128, 0, 3, 0, 0, 0, 9}, netip.Addr{}, true},
		{"0.0.0.0", []byte{0, 128, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0}, netip.Addr{}, true},
		{"cut off", []byte{0, 128, 0, 0, 0, 0, 0, 9, 24, 20}, netip.Addr{}, false},
		{"another operation", []byte{0, 129, 0, 0, 0, 0, 0, 9, 24, 20, 1, 1}, netip.Addr{}, false},
		{"another version", []byte{2, 128, 0, 0, 0, 0, 0, 9, 24, 20, 1, 1}, netip.Addr{}, false},
		{"nothing", nil, netip.Addr{}, false},
	} {
		if got := parsePMP(c.in); got.outside != c.want || (got.err == nil) != c.ok {
			t.Errorf("%s: %v, %v", c.name, got.outside, got.err)
		}
	}
}
