package gateway

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
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

// A program that leads back to where it is led from hides that it does: what it
// connects by is a client like any other. The limits end it, and it unwinds.
func TestALoopThroughAnotherProgramEndsAtTheLimitsAndTheRulesStay(t *testing.T) {
	for name, of := range map[string]func(far, near *node) []*node{
		"OneNode":  func(far, _ *node) []*node { return []*node{far, far} },
		"TwoNodes": func(far, near *node) []*node { return []*node{far, near} },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newWorld(t, 0)
			const places = 30
			few := func(c *Config) { c.Limits.Channels = places }
			nodes := of(w.add(few), w.add(few))
			far, near := nodes[0], nodes[1]
			var leads atomic.Pointer[string]
			other := serve(t, func(c *net.TCPConn) { proxyTo(*leads.Load(), c) })
			s := far.expose(t, other.addr(), "loop")
			addr := near.forward(t, s)
			leads.Store(&addr)

			c := dial(t, addr)
			for { // any end will do: the program need not carry a reset through
				if _, err := c.Read(make([]byte, 1)); err != nil {
					break
				}
			}
			must(t, c.Close())
			near.heard.await(t, 1, func(e Event) bool { return e.Kind == EventRefused && e.Code == wire.Limit })
			opened := 0
			for _, n := range w.nodes {
				for _, st := range n.Rules() {
					n.heard.await(t, int(st.Opened), func(e Event) bool { return e.Kind == EventClosed && e.Rule == st.Rule.ID })
					opened += int(st.Opened)
				}
			}
			if opened > 2*places {
				t.Errorf("%d channels were opened, of %d places on each of two nodes", opened, places)
			}

			service := serve(t, echo).addr() // somebody mends the program
			leads.Store(&service)
			converse(t, dial(t, addr), 100)
			for _, n := range w.nodes {
				for _, st := range n.Rules() {
					if st.State != Up || st.Channels != 1 {
						t.Errorf("%+v", st)
					}
				}
			}
		})
	}
}

// proxyTo carries a connection to an address, as simple proxies do: when either
// side ends, so does all.
func proxyTo(addr string, c *net.TCPConn) {
	to, err := dialNow(addr)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() {
		_, _ = io.Copy(to, c)
		_ = to.Close()
	}()
	_, _ = io.Copy(c, to)
	_ = c.Close()
}
