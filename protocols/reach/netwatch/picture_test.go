package netwatch

import (
	"fmt"
	"net/netip"
	"testing"
)

// card is an interface that is up.
func card(index int, addrs ...string) iface {
	i := iface{index: index, up: true}
	for _, a := range addrs {
		i.addrs = append(i.addrs, netip.MustParseAddr(a))
	}
	return i
}

func down(i iface) iface {
	i.up = false
	return i
}

func TestWhatCountsAsAChange(t *testing.T) {
	lo := card(1, "127.0.0.1", "::1")
	home := picture{lo, card(2, "192.168.1.7", "fe80::7")}
	for what, c := range map[string]struct {
		before, now picture
		fell        int
		changed     bool
		gone        string
	}{
		"nothing":                  {home, home, 0, false, "[]"},
		"another order":            {home, picture{home[1], home[0]}, 0, false, "[]"},
		"an address came":          {home, append(home[:2:2], card(3, "10.0.0.1")), 0, true, "[]"},
		"an address went":          {home, picture{lo, card(2)}, 0, true, "[192.168.1.7 fe80::7]"},
		"another address":          {home, picture{lo, card(2, "10.0.0.9", "fe80::7")}, 0, true, "[192.168.1.7]"},
		"it moved to another card": {home, picture{lo, card(9, "192.168.1.7", "fe80::7")}, 0, true, "[]"},
		"link-local came":          {home, append(home[:2:2], card(3, "fe80::1", "169.254.1.1")), 0, false, "[]"},
		"link-local went":          {append(home[:2:2], card(3, "fe80::1")), home, 3, false, "[fe80::1]"},
		"the cable was pulled":     {home, picture{lo, down(home[1])}, 0, true, "[]"},
		"and is back":              {picture{lo, down(home[1])}, home, 0, true, "[]"},
		"pulled and back":          {home, home, 2, true, "[]"},
		"an empty card fell":       {append(home[:2:2], card(3)), home, 3, false, "[]"},
		"an empty card comes up":   {append(home[:2:2], down(card(3))), append(home[:2:2], card(3)), 3, false, "[]"},
		"loopback fell":            {home, home, 1, false, "[]"},
		"one of two that share it": {append(home[:2:2], card(3, "192.168.1.7")), home, 0, true, "[]"},
	} {
		changed, gone := compare(c.before, c.now, map[int]bool{c.fell: true})
		if got := fmt.Sprint(gone); changed != c.changed || got != c.gone {
			t.Errorf("%s: changed %v, gone %s; want %v, %s", what, changed, got, c.changed, c.gone)
		}
	}
}

func TestTheMachineHasAnInterface(t *testing.T) {
	if p, err := machine(); err != nil || len(p) == 0 {
		t.Errorf("%v, %v", p, err)
	}
}
