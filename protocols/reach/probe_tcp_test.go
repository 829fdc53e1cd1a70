package reach_test

import (
	"net"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// TestDeadTCPPathIsClosed uses a proxy that stops passing bytes on.
func TestDeadTCPPathIsClosed(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, []reach.Transport{reach.TCP})
	at, cut := throttled(t, b.on(reach.TCP)[0], true)
	p := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{at}, Transport: reach.TCP})
	say(t, open(t, p), "through the proxy")
	if <-a.Doubt(p); !p.Live() {
		t.Fatal("the living path was closed")
	}
	cut()
	if <-a.Doubt(p); p.Live() || len(a.Paths(b.ID())) != 0 {
		t.Error("the silent path is still there")
	}
	say(t, open(t, a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP), Explicit: true})), "on a new path")
}

// throttled is the address of a TCP proxy to one connection at addr, which
// passes nothing on once it is cut: it swallows everything, or reads no more.
func throttled(t *testing.T, addr ma.Multiaddr, swallows bool) (ma.Multiaddr, func()) {
	t.Helper()
	at, l := listener(t)
	port, err := addr.ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	silent := make(chan struct{})
	pass := func(to, from net.Conn) {
		defer to.Close()
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			select {
			case <-silent:
				if !swallows {
					<-t.Context().Done()
					return
				}
				continue
			default:
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			_ = in.Close()
			return
		}
		go pass(in, out)
		pass(out, in)
	}()
	return at, func() { close(silent) }
}
