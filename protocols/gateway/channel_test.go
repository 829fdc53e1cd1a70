package gateway

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestManyClientsOverOneTrunkWhileItIsCut(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	addr := nodes[1].forward(t, s)
	const clients, rounds, size = 200, 20, 4 << 10
	errs := make(chan error, clients)
	half := make(chan struct{}, clients)
	var wg sync.WaitGroup
	for range clients {
		c := dial(t, addr)
		wg.Go(func() {
			for i := range rounds {
				if i == rounds/4 {
					half <- struct{}{}
				}
				if err := conversation(c, size); err != nil {
					errs <- fmt.Errorf("round %d: %w", i, err)
					return
				}
			}
			errs <- c.CloseWrite()
		})
	}
	for range clients {
		<-half
	}
	nodes[1].cut(nodes[0])
	wg.Wait()
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	nodes[1].heard.await(t, clients, func(e Event) bool { return e.Kind == EventClosed && e.Err == nil })
	if st := nodes[1].Rules()[0]; st.In != clients*rounds*size || st.Out != st.In {
		t.Errorf("%d bytes in, %d out", st.In, st.Out)
	}
}

func TestChannelsAreTold(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	addr := nodes[1].forward(t, s)
	c := dial(t, addr)
	converse(t, c, 1000)
	near, err := nodes[1].Channels(addr)
	must(t, err)
	far, err := nodes[0].Channels("web")
	must(t, err)
	if len(near) != 1 || len(far) != 1 {
		t.Fatalf("%+v, %+v", near, far)
	}
	a, b := near[0], far[0]
	switch {
	case a.ID != b.ID || len(a.ID) != 32:
		t.Errorf("IDs %s and %s", a.ID, b.ID)
	case a.Client != c.LocalAddr().String():
		t.Errorf("client %s", a.Client)
	case a.Peer != nodes[0].id() || b.Peer != nodes[1].id() || b.Principal.String() != nodes[1].principal():
		t.Errorf("peers %s and %s", a.Peer, b.Peer)
	case a.In != 1000 || a.Out != 1000 || b.In != 1000 || b.Out != 1000:
		t.Errorf("bytes %d %d, %d %d", a.In, a.Out, b.In, b.Out)
	case a.Transport != "tcp" && a.Transport != "quic-v1" || !a.Waiting.IsZero():
		t.Errorf("on %s, waiting since %v", a.Transport, a.Waiting)
	}
	if _, err := nodes[1].Channels("nothing"); wire.CodeOf(err) != wire.Unknown {
		t.Errorf("channels of no rule: %v", err)
	}
}

func TestUnixSocketsAtBothEnds(t *testing.T) {
	_, nodes := newWorld(t, 2)
	dir := t.TempDir()
	target, entry := filepath.Join(dir, "service.sock"), filepath.Join(dir, "entry.sock")
	l, err := net.Listen("unix", target)
	must(t, err)
	serveOn(t, l, func(c net.Conn) {
		_, _ = io.Copy(c, struct{ io.Reader }{c})
		_ = c.(*net.UnixConn).CloseWrite()
	})
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: entry, Net: "unix"})
	must(t, err)
	dead.SetUnlinkOnClose(false)
	must(t, dead.Close())
	s := nodes[0].expose(t, "unix:"+target, "web")
	got, err := nodes[1].Add(t.Context(), Rule{Kind: Forward, Listen: "unix:" + entry, Pipe: s.Pipe.String()})
	must(t, err)
	if got.Addr != "unix:"+entry {
		t.Errorf("listens on %s", got.Addr)
	}
	c, err := net.Dial("unix", entry)
	must(t, err)
	defer func() { _ = c.Close() }()
	converse(t, c, 1<<20)
	must(t, c.(*net.UnixConn).CloseWrite())
	if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
		t.Errorf("%d bytes behind the end, %v", len(rest), err)
	}
	_, err = nodes[0].Add(t.Context(), Rule{Kind: Forward, Listen: "unix:" + entry, Pipe: "web"})
	if wire.CodeOf(err) != wire.Taken {
		t.Errorf("a socket in use: %v", err)
	}
}

func TestTheServiceHearsWhoComes(t *testing.T) {
	_, nodes := newWorld(t, 2)
	headers := make(chan *proxyproto.Header, 1)
	service := serve(t, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		h, err := proxyproto.Read(r)
		if err != nil {
			t.Errorf("no header: %v", err)
			return
		}
		headers <- h
		_, _ = io.Copy(c, r)
	})
	s := nodes[0].expose(t, service.addr(), "web", func(r *Rule) { r.ProxyProtocol = ProxyV2 })
	c := dial(t, nodes[1].forward(t, s))
	converse(t, c, 100)
	h := <-headers
	channels, err := nodes[0].Channels("web")
	must(t, err)
	tlvs, err := h.TLVs()
	must(t, err)
	if string(tlvs[0].Value) != nodes[1].id().String() || hex.EncodeToString(tlvs[1].Value) != channels[0].ID {
		t.Errorf("TLVs %+v", tlvs)
	}
	if ip, _, ok := h.IPs(); !ok || !ip.IsLoopback() {
		t.Errorf("from %v", h.SourceAddr)
	}
	must(t, nodes[0].Check(t.Context(), "web"))
	if h := <-headers; !h.Command.IsLocal() {
		t.Errorf("the check is announced as %+v", h)
	}
}

func TestSeveralBindersShareClientsAndStandInForEachOther(t *testing.T) {
	_, nodes := newWorld(t, 3)
	s := nodes[0].expose(t, serve(t, says("0")).addr(), "web")
	must(t, func() error {
		_, err := nodes[1].Add(t.Context(), Rule{
			Kind: Expose, Target: serve(t, says("1")).addr(), Pipe: s.Pipe.String(), Allow: []string{Anyone},
			Capability: nodes[0].grantBind(t, s.Pipe, nodes[1]),
		})
		return err
	}())
	addr := nodes[2].forward(t, s, func(r *Rule) { r.Spread = true })
	k := nodes[2].keeperOf(t, addr)
	for changed := k.Changed(); ; changed = k.Changed() {
		up := 0
		for _, b := range k.State().Binders {
			if b.Err == nil {
				up++
			}
		}
		if up == 2 {
			break
		}
		<-changed
	}
	heard := map[string]int{}
	var open []net.Conn
	for range 20 {
		c := dial(t, addr)
		heard[word(t, c)]++
		open = append(open, c)
	}
	if heard["0"] < 8 || heard["1"] < 8 {
		t.Errorf("shared %v", heard)
	}
	nodes[0].stop()
	for range 10 {
		if got := word(t, dial(t, addr)); got != "1" {
			t.Errorf("%q answers", got)
		}
	}
	for _, c := range open {
		if _, err := c.Write([]byte{0}); err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("a channel of the node that has gone ends with %v", err)
			}
		}
	}
}

func TestAFarNodeIsReplacedWhileClientsAreConnected(t *testing.T) {
	_, nodes := newWorld(t, 3)
	s := nodes[0].expose(t, serve(t, says("0")).addr(), "web", func(r *Rule) { r.Exclusive = true })
	addr := nodes[2].forward(t, s)
	before := dial(t, addr)
	wantWord(t, before, "0")
	_, err := nodes[1].Add(t.Context(), Rule{
		Kind: Expose, Target: serve(t, says("1")).addr(), Pipe: s.Pipe.String(), Allow: []string{Anyone},
		Capability: nodes[0].grantBind(t, s.Pipe, nodes[1]),
	})
	must(t, err)
	down := nodes[0].heard.await(t, 1, kind(EventRuleDown))[0]
	if down.Code != wire.Replaced || nodes[0].Rules()[0].State != Failed {
		t.Errorf("the old one is down as %s: %v", down.Code, down.Err)
	}
	if got := word(t, dial(t, addr)); got != "1" {
		t.Errorf("%q answers new clients", got)
	}
	wantWord(t, before, "0") // who is connected stays where it is
	nodes[0].stop()
	wantReset(t, before)
	if got := word(t, dial(t, addr)); got != "1" {
		t.Errorf("%q answers", got)
	}
}

func TestLimitsAreNamed(t *testing.T) {
	w, nodes := newWorld(t, 1)
	far := w.add(func(c *Config) { c.Limits.Channels, c.Limits.ChannelsPerClient = 5, 2 })
	s := far.expose(t, serve(t, echo).addr(), "web")
	addr := nodes[0].forward(t, s)
	for range 2 {
		converse(t, dial(t, addr), 10)
	}
	wantRefusal(t, addr)
	e := nodes[0].heard.await(t, 1, kind(EventRefused))[0]
	if e.Code != wire.Limit {
		t.Errorf("refused as %s: %v", e.Code, e.Err)
	}
	own := far.heard.await(t, 1, kind(EventRefused))[0]
	if next := wire.NextOf(own.Err); next != "raise "+settingPerClient || own.Setting != settingPerClient || own.Limit == "" {
		t.Errorf("advice: %q, limit %q of setting %q", next, own.Limit, own.Setting)
	}
	if e.Limit != "" {
		t.Errorf("the far node's limit is told of as %q of this one", e.Limit)
	}
	converse(t, dial(t, far.forward(t, s)), 10)
}

func TestClientsWaitWhileDescriptorsAreShort(t *testing.T) {
	w, nodes := newWorld(t, 1)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	n := w.add(func(c *Config) {
		c.Listen = func(_ context.Context, network, addr string) (net.Listener, error) {
			l, err := net.Listen(network, addr)
			return &short{Listener: l, left: 3}, err
		}
	})
	converse(t, dial(t, n.forward(t, s)), 10)
	n.heard.await(t, 1, kind(EventAcceptBlocked))
}

// short is a listener of a process that has no descriptor left, for a while.
type short struct {
	net.Listener
	left int
}

func (s *short) Accept() (net.Conn, error) {
	if s.left--; s.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

// word is what the service behind a connection says.
func word(t testing.TB, c net.Conn) string {
	t.Helper()
	must(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err := c.Write([]byte{0})
	must(t, err)
	got := make([]byte, 1)
	_, err = io.ReadFull(c, got)
	must(t, err)
	return string(got)
}
