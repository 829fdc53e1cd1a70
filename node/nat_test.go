package node

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/router"
)

func TestDoubleNATIsJudgedByTheRoutersAddress(t *testing.T) {
	ip := netip.MustParseAddr
	seen := []netip.Addr{ip("24.20.1.1"), ip("2600::1")}
	for _, c := range []struct {
		name    string
		outside netip.Addr
		silent  bool
		public  []netip.Addr
		online  bool
		want    bool
	}{
		{"the address that others see", ip("24.20.1.1"), false, seen, true, false},
		{"another public one", ip("30.1.1.1"), false, seen, true, true},
		{"nobody else has said", ip("30.1.1.1"), false, nil, true, false},
		{"others see only IPv6", ip("30.1.1.1"), false, seen[1:], true, false},
		{"a private one", ip("192.168.0.5"), false, nil, false, true},
		{"a carrier's", ip("100.64.0.5"), false, seen, true, true},
		{"none, and the node talks with the outside", netip.Addr{}, true, seen, true, true},
		{"none, and nobody outside is there", netip.Addr{}, true, nil, false, false},
		{"not asked yet", netip.Addr{}, false, seen, true, false},
	} {
		if got := double(c.outside, c.silent, c.public, c.online); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// fakeMapper is a NAT manager with one answer to everything.
type fakeMapper struct{ to ma.Multiaddr }

func (f *fakeMapper) GetMapping(ma.Multiaddr) ma.Multiaddr { return f.to }
func (f *fakeMapper) HasDiscoveredNAT() bool               { return true }
func (f *fakeMapper) Close() error                         { return nil }

func TestRouterThatMapsNothingIsAsked(t *testing.T) {
	asked := make(chan struct{}, 10)
	fake := &fakeMapper{}
	m := &portMapper{NATManager: fake, mapped: make(map[string]netip.AddrPort), ask: func(context.Context) (netip.Addr, error) {
		asked <- struct{}{}
		return netip.Addr{}, nil
	}}
	m.ctx, m.cancel = context.WithCancel(t.Context())
	listen := ma.StringCast("/ip4/0.0.0.0/udp/4001/quic-v1")
	for range 3 {
		m.GetMapping(listen)
	}
	m.running.Wait()
	if s := m.state(nil, true); !s.Router || !s.Double || len(s.Mapped) > 0 {
		t.Errorf("a router without an outside address: %+v", s)
	}
	fake.to = ma.StringCast("/ip4/24.20.1.1/udp/5001/quic-v1")
	if got := m.GetMapping(ma.StringCast("/ip6/::/udp/4001/quic-v1")); got != nil {
		t.Errorf("an IPv6 address is mapped to %v", got)
	}
	m.GetMapping(listen)
	if s := m.state(nil, true); s.Double || len(s.Mapped) != 1 || s.Mapped[0] != netip.MustParseAddrPort("24.20.1.1:5001") {
		t.Errorf("with a mapping: %+v", s)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 {
		t.Errorf("the router was asked %d times", len(asked))
	}
}

func TestWhatARouterSaidIsForgottenWhenNobodyAnswersAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside, err := netip.MustParseAddr("100.64.0.9"), error(nil)
		m := &portMapper{NATManager: &fakeMapper{}, mapped: make(map[string]netip.AddrPort), ask: func(context.Context) (netip.Addr, error) {
			return outside, err
		}}
		m.ctx, m.cancel = context.WithCancel(t.Context())
		listen := ma.StringCast("/ip4/0.0.0.0/udp/4001/quic-v1")
		look := func() NATState {
			m.GetMapping(listen)
			m.running.Wait()
			return m.state(nil, true)
		}
		if !look().Double {
			t.Fatal("a router behind a carrier's is no double NAT")
		}
		time.Sleep(askAgain)
		if outside, err = (netip.Addr{}), router.ErrNone; look().Double {
			t.Error("double NAT, though the router has gone")
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
