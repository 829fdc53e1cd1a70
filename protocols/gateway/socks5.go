package gateway

import (
	"io"

	"net/netip"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// SOCKS5, RFC 1928.
const (
	socksVersion  = 5
	socksConnect  = 1
	socksNoAuth   = 0
	socksNoMethod = 0xff
	socksIPv4     = 1
	socksName     = 3
	socksIPv6     = 4
)

// Replies of RFC 1928, section 6.
const (
	socksOK            = 0
	socksFailure       = 1
	socksNotAllowed    = 2
	socksNoNetwork     = 3
	socksNoHost        = 4
	socksRefused       = 5
	socksExpired       = 6
	socksNoCommand     = 7
	socksNoAddressType = 8
)

// socksFront speaks SOCKS5 with a client whose first byte has been read. It
// reads no byte more than the client owes before the reply, since what follows
// belongs to the channel.
type socksFront struct{ c io.ReadWriter }

// host reads what the client asks for: the host name. Errors have been
// answered.
func (f socksFront) host() (string, error) {
	if err := f.greet(); err != nil {
		return "", err
	}
	var b [4]byte
	if _, err := io.ReadFull(f.c, b[:]); err != nil {
		return "", err
	}
	if b[0] != socksVersion {
		return "", wire.Errorf(wire.BadRequest, "a SOCKS5 request of version %d", b[0])
	}
	host, err := f.address(b[3])
	if err == nil && b[1] != socksConnect {
		err = wire.Errorf(wire.Unsupported, "SOCKS5 command %d: only CONNECT is served", b[1])
		_ = f.write(socksNoCommand)
		return "", err
	}
	return host, err
}

// greet chooses no authentication, the one method there is.
func (f socksFront) greet() error {
	var count [1]byte
	if _, err := io.ReadFull(f.c, count[:]); err != nil {
		return err
	}
	methods := make([]byte, count[0])
	if _, err := io.ReadFull(f.c, methods); err != nil {
		return err
	}
	for _, m := range methods {
		if m == socksNoAuth {
			_, err := f.c.Write([]byte{socksVersion, socksNoAuth})
			return err
		}
	}
	_, _ = f.c.Write([]byte{socksVersion, socksNoMethod})
	return wire.Errorf(wire.Unsupported, "the SOCKS5 client wants to authenticate itself, which is not asked for here")
}

// address reads an address and its port, which is of no use.
func (f socksFront) address(kind byte) (host string, err error) {
	var size int
	switch kind {
	case socksIPv4:
		size = 4
	case socksIPv6:
		size = 16
	case socksName:
		var n [1]byte
		if _, err := io.ReadFull(f.c, n[:]); err != nil {
			return "", err
		}
		size = int(n[0])
	default:
		_ = f.write(socksNoAddressType)
		return "", wire.Errorf(wire.Unsupported, "SOCKS5 address of type %d", kind)
	}
	b := make([]byte, size+2)
	if _, err := io.ReadFull(f.c, b); err != nil {
		return "", err
	}
	if kind == socksName {
		return string(b[:size]), nil
	}
	ip, _ := netip.AddrFromSlice(b[:size])
	return ip.String(), nil
}

// reply tells the client what became of its request.
func (f socksFront) reply(err error) error { return f.write(socksReply(err)) }

func (f socksFront) write(reply byte) error {
	_, err := f.c.Write([]byte{socksVersion, reply, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
	return err
}

// socksReply is the reply for a cause. A way to the binder that is missing is
// no network, a binder that is missing no host.
func socksReply(err error) byte {
	switch wire.CodeOf(err) {
	case wire.OK:
		return socksOK
	case wire.Forbidden, wire.Expired:
		return socksNotAllowed
	case wire.Unreachable:
		return socksNoNetwork
	case wire.Unbound, wire.Unknown, wire.Moved, wire.Gone:
		return socksNoHost
	case wire.Refused:
		return socksRefused
	case wire.Timeout:
		return socksExpired
	}
	return socksFailure
}
