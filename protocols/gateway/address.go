package gateway

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// address is a local TCP or Unix address.
//
//	127.0.0.1:80, tcp:127.0.0.1:80, tcp://127.0.0.1:80   TCP
//	80                                                  TCP on 127.0.0.1
//	:80                                                 TCP on every interface; to dial, this machine
//	0.0.0.0:80                                          the same, IPv4 alone
//	unix:/run/x.sock, unix:///run/x.sock                a Unix socket
type address struct {
	network string // "tcp" or "unix"
	addr    string // as net.Dial takes it
}

// String is the one way in which an address is kept and shown.
func (a address) String() string {
	if a.network == "unix" {
		return "unix:" + a.addr
	}
	return a.addr
}

// maxUnixPath is what the smallest sun_path has room for, without its NUL.
const maxUnixPath = 103

// parseAddress reads an address. The port may be 0 where one listens: a free
// one is taken.
func parseAddress(text string, listen bool) (address, error) {
	bad := func(why string) error {
		return wire.Errorf(wire.BadRequest, "address %.80q: %s", text, why).
			WithNext("write host:port, such as 127.0.0.1:8080, or unix:/path/of.sock")
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		switch {
		case !strings.HasPrefix(path, "/") && !filepath.IsAbs(path):
			return address{}, bad("the path of a Unix socket must be absolute")
		case len(path) > maxUnixPath || strings.ContainsRune(path, 0):
			return address{}, bad("the path of a Unix socket has at most 103 bytes, none of them zero")
		}
		return address{"unix", filepath.Clean(path)}, nil
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "tcp:"), "//")
	if !strings.Contains(rest, ":") {
		rest = "127.0.0.1:" + rest
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return address{}, bad("not host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || (n == 0 && !listen) {
		return address{}, bad("the port is not a number from 1 to 65535")
	}
	if !plainHost(host) {
		return address{}, bad("the host is neither a name nor an IP address")
	}
	if host == "" && !listen {
		host = "localhost"
	}
	return address{"tcp", net.JoinHostPort(host, strconv.FormatUint(n, 10))}, nil
}

// plainHost allows what an IP address, with its zone, or a DNS name is made of.
func plainHost(host string) bool {
	if len(host) > 253 {
		return false
	}
	for _, r := range host {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:%", r) || r > 0x7f
		if !ok {
			return false
		}
	}
	return true
}

// anyPort reports that a listener has the port that was free.
func (a address) anyPort() bool {
	_, port, err := net.SplitHostPort(a.addr)
	return a.network == "tcp" && err == nil && port == "0"
}
