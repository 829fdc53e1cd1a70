package netwatch

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxRoutes caps how many default routes are remembered.
const maxRoutes = 64

// routes are the default routes that were heard of, so that one told again is
// no news. The zero value is ready; it hears of what was there before when that
// is told again, once.
type routes struct {
	known map[string]bool
}

// note reads a message of rtnetlink(7). It is false for what changes nothing.
// The layouts are those of struct ifinfomsg, ifaddrmsg and rtmsg.
func (r *routes) note(m syscall.NetlinkMessage) (note, bool) {
	b := m.Data
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if len(b) < unix.SizeofIfInfomsg || b[0] != unix.AF_UNSPEC { // a bridge tells of its ports
			return note{}, false
		}
		index := int(int32(binary.NativeEndian.Uint32(b[4:])))
		flags := binary.NativeEndian.Uint32(b[8:])
		const up = unix.IFF_UP | unix.IFF_RUNNING
		if m.Header.Type == unix.RTM_DELLINK || flags&up != up {
			return note{fell: index}, true
		}
		return note{}, true
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(b) < unix.SizeofIfAddrmsg {
			return note{}, false
		}
		index, scope := int(int32(binary.NativeEndian.Uint32(b[4:]))), b[3]
		if m.Header.Type == unix.RTM_DELADDR && scope < unix.RT_SCOPE_LINK {
			return note{fell: index}, true
		}
		return note{}, true
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return note{other: true}, r.changed(m)
	}
	return note{}, false
}

// changed reports that m tells of a default route what was not known.
func (r *routes) changed(m syscall.NetlinkMessage) bool {
	b := m.Data
	if len(b) < unix.SizeofRtMsg {
		return false
	}
	family, length, kind, flags := b[0], b[1], b[7], binary.NativeEndian.Uint32(b[8:])
	if length != 0 || kind != unix.RTN_UNICAST || flags&unix.RTM_F_CLONED != 0 {
		return false
	}
	key := []byte{family}
	attrs, err := syscall.ParseNetlinkRouteAttr(&m)
	if err != nil {
		return false
	}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.RTA_TABLE, unix.RTA_OIF, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_PRIORITY, unix.RTA_MULTIPATH:
			key = append(binary.NativeEndian.AppendUint16(key, a.Attr.Type), a.Value...)
		}
	}
	if m.Header.Type == unix.RTM_DELROUTE {
		delete(r.known, string(key))
		return true
	}
	if r.known[string(key)] {
		return false
	}
	if r.known == nil || len(r.known) >= maxRoutes {
		r.known = make(map[string]bool)
	}
	r.known[string(key)] = true
	return true
}
