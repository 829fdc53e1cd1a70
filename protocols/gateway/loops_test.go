package gateway

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func addr(text string) *net.TCPAddr {
	a, err := net.ResolveTCPAddr("tcp", text)
	if err != nil {
		panic(err)
	}
	return a
}

func TestOwnListenersAreKnownAsTargets(t *testing.T) {
	l := newLoops()
	forget := l.listens(addr("127.0.0.1:80"))
	l.listens(&net.UnixAddr{Net: "unix", Name: "/run/x.sock"})
	for target, want := range map[string]bool{
		"127.0.0.1:80": true, "127.0.0.2:80": true, "localhost:80": true, "[::1]:80": true, "0.0.0.0:80": true,
		"127.0.0.1:81": false, "192.0.2.1:80": false, "example.org:80": false,
		"unix:/run/x.sock": true, "unix:/run/y.sock": false,
	} {
		a, err := parseAddress(target, false)
		if err != nil {
			t.Fatal(err)
		}
		if l.own(a) != want {
			t.Errorf("%s: %v", target, !want)
		}
	}
	forget()
	if l.own(address{"tcp", "127.0.0.1:80"}) {
		t.Error("a listener that has ended is known")
	}
}

func TestAClientWaitsForTheDialThatItMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoops()
		dialled, never := l.dialling(3), l.dialling(5)
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			dialled(addr("127.0.0.1:1000"))
			never(nil)
		}()
		if got := l.before(addr("127.0.0.1:1000")); got != 3 || time.Since(began) != time.Second {
			t.Errorf("%d gateways after %v", got, time.Since(began))
		}
		if got := l.before(addr("127.0.0.1:1001")); got != 0 {
			t.Errorf("a stranger stands behind %d gateways", got)
		}
		if got := l.before(&net.UnixAddr{Net: "unix"}); got != 0 {
			t.Errorf("a client without an address stands behind %d gateways", got)
		}
		l.forget(addr("127.0.0.1:1000"))
		if len(l.hops)+len(l.dials) != 0 {
			t.Error("something is left")
		}
	})
}
