package netwatch

import (
	"encoding/binary"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// link is a struct ifinfomsg, address a struct ifaddrmsg, route a struct rtmsg
// with its attributes.
func link(kind uint16, family byte, index, flags uint32) syscall.NetlinkMessage {
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	binary.NativeEndian.PutUint32(b[4:], index)
	binary.NativeEndian.PutUint32(b[8:], flags)
	return message(kind, b)
}

func address(kind uint16, index uint32, scope byte) syscall.NetlinkMessage {
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[3] = scope
	binary.NativeEndian.PutUint32(b[4:], index)
	return message(kind, b)
}

func route(kind uint16, length byte, gateway ...byte) syscall.NetlinkMessage {
	b := make([]byte, unix.SizeofRtMsg)
	b[0], b[1], b[7] = unix.AF_INET, length, unix.RTN_UNICAST
	attr := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(gateway)))
	attr = binary.NativeEndian.AppendUint16(attr, unix.RTA_GATEWAY)
	return message(kind, slices.Concat(b, attr, gateway))
}

func message(kind uint16, data []byte) syscall.NetlinkMessage {
	return syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: kind}, Data: data}
}

func TestMessagesOfTheKernel(t *testing.T) {
	const up = unix.IFF_UP | unix.IFF_RUNNING
	first, second := []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}
	cloned := route(unix.RTM_NEWROUTE, 0, 10, 0, 0, 9)
	binary.NativeEndian.PutUint32(cloned.Data[8:], unix.RTM_F_CLONED)
	var r routes
	for _, c := range []struct {
		what string
		m    syscall.NetlinkMessage
		want note
		ok   bool
	}{
		{"link is up", link(unix.RTM_NEWLINK, 0, 3, up), note{}, true},
		{"link has no carrier", link(unix.RTM_NEWLINK, 0, 3, unix.IFF_UP), note{fell: 3}, true},
		{"link is gone", link(unix.RTM_DELLINK, 0, 4, up), note{fell: 4}, true},
		{"port of a bridge", link(unix.RTM_DELLINK, unix.AF_BRIDGE, 4, 0), note{}, false},
		{"new address", address(unix.RTM_NEWADDR, 5, 0), note{}, true},
		{"address is gone", address(unix.RTM_DELADDR, 5, unix.RT_SCOPE_UNIVERSE), note{fell: 5}, true},
		{"link-local address is gone", address(unix.RTM_DELADDR, 5, unix.RT_SCOPE_LINK), note{}, true},
		{"route to a network", route(unix.RTM_NEWROUTE, 24, first...), note{other: true}, false},
		{"default route", route(unix.RTM_NEWROUTE, 0, first...), note{other: true}, true},
		{"the same again", route(unix.RTM_NEWROUTE, 0, first...), note{other: true}, false},
		{"another one", route(unix.RTM_NEWROUTE, 0, second...), note{other: true}, true},
		{"it is gone", route(unix.RTM_DELROUTE, 0, second...), note{other: true}, true},
		{"and back", route(unix.RTM_NEWROUTE, 0, second...), note{other: true}, true},
		{"of the cache", cloned, note{other: true}, false},
		{"something else", message(unix.RTM_NEWNEIGH, make([]byte, 64)), note{}, false},
	} {
		if got, ok := r.note(c.m); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v", c.what, got, ok)
		}
		for short := range min(len(c.m.Data), 8) {
			var r routes
			if n, ok := r.note(message(c.m.Header.Type, c.m.Data[:short])); ok {
				t.Errorf("%s, %d bytes of it: %+v", c.what, short, n)
			}
		}
	}
}

func TestRememberedRoutesAreBounded(t *testing.T) {
	var r routes
	for i := range 10 * maxRoutes {
		if _, ok := r.note(route(unix.RTM_NEWROUTE, 0, byte(i), byte(i>>8), 0, 0)); !ok {
			t.Fatal("a new route is no news")
		}
		if len(r.known) > maxRoutes {
			t.Fatalf("%d routes remembered", len(r.known))
		}
	}
}
