//go:build full

package lab

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestRouterLetsOutAndNotIn(t *testing.T) {
	l := New(t)
	internet := l.Internet()
	server := internet.Host("server", "23.10.1.1")
	home := internet.Router("home", "24.20.1.1", Masquerade, "192.168.1.1/24")
	laptop := home.Host("laptop")
	at := listen(t, server, "tcp4", ":4001")
	if from := dial(t, laptop, "23.10.1.1:4001"); from != nil {
		t.Fatal(from)
	}
	seen, err := at.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if ip, _, _ := net.SplitHostPort(seen.RemoteAddr().String()); ip != "24.20.1.1" {
		t.Errorf("the server sees %s", ip)
	}
	seen.Close()
	listen(t, laptop, "tcp4", ":4001")
	var timeout net.Error
	if err := dial(t, server, "24.20.1.1:4001"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("dialling in from outside: %v", err)
	}
}

func TestFilterResets(t *testing.T) {
	l := New(t)
	internet := l.Internet()
	server, other := internet.Host("server", "23.10.1.1"), internet.Host("other", "25.10.1.1")
	listen(t, server, "tcp4", ":4001")
	server.Filter(`
		table inet wall {
			chain in { type filter hook input priority 0; tcp dport 4001 reject with tcp reset; }
		}`)
	if err := dial(t, other, "23.10.1.1:4001"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling a port that resets: %v", err)
	}
}

func listen(t *testing.T, m *Machine, network, addr string) (l net.Listener) {
	t.Helper()
	m.do(func() {
		var err error
		if l, err = net.Listen(network, addr); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { l.Close() })
	return l
}

// dial tells whether a connection comes about, in time for a second try of the
// kernel after one second.
func dial(t *testing.T, m *Machine, addr string) (err error) {
	t.Helper()
	m.do(func() {
		var c net.Conn
		if c, err = net.DialTimeout("tcp4", addr, 3*time.Second); err == nil {
			c.Close()
		}
	})
	return err
}

func TestRouterMapsPorts(t *testing.T) {
	l := New(t)
	home := l.Internet().Router("home", "24.20.1.1", Masquerade, "192.168.1.1/24")
	home.MapPorts()
	// NAT-PMP (RFC 6886): ask for the outside address.
	var answer [12]byte
	home.Host("laptop").do(func() {
		c, err := net.DialTimeout("udp4", "192.168.1.1:5351", time.Second)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		c.Write([]byte{0, 0})
		if _, err := c.Read(answer[:]); err != nil {
			t.Error(err)
		}
	})
	if ip := net.IP(answer[8:]).String(); ip != "24.20.1.1" {
		t.Errorf("the router says its outside address is %s (% x)", ip, answer)
	}
}

func TestNeighboursSeeEachOther(t *testing.T) {
	l := New(t)
	home := l.Internet().Router("home", "24.20.1.1", Masquerade, "192.168.1.1/24")
	one, other := home.Host("one"), home.Host("other")
	listen(t, one, "tcp4", ":4001")
	if err := dial(t, other, "192.168.1.2:4001"); err != nil {
		t.Errorf("at the address on the LAN: %v", err)
	}
	if err := dial(t, other, "24.20.1.1:4001"); err == nil {
		t.Error("at the router's outside address there should be nobody")
	}
}
