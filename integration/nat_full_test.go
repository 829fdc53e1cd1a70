//go:build full

package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/lab"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// The NAT matrix: real nodes in network namespaces, behind routers made of nft.

// matrix is a few public nodes on an internet of their own.
type matrix struct {
	t        *testing.T
	internet *lab.Network
	servers  []*process
	ticket   string
}

// publicAddrs are where the servers are: each in an address group of its own.
var publicAddrs = []string{"23.10.1.1", "31.12.1.1", "44.13.1.1", "52.14.1.1"}

// newMatrix starts servers, the first few of which relay.
func newMatrix(t *testing.T, servers, relays int) *matrix {
	t.Parallel()
	o := &matrix{t: t, internet: lab.New(t).Internet()}
	for i, addr := range publicAddrs[:servers] {
		args := []string{"--no-mdns", "--no-portmap"}
		if i < relays {
			args = append(args, "--relay-serve")
		}
		if i > 0 {
			args = append(args, "--join", o.ticket)
		}
		p := up(t, o.internet.Host(fmt.Sprintf("server%d", i), addr).Name, args...)
		o.servers = append(o.servers, p)
		if i == 0 {
			p.until("the first server is ready", ready)
			o.ticket = p.run("ticket")
		}
	}
	for _, p := range o.servers {
		p.until("the servers know each other", func(s api.Status) bool { return s.Ready && s.Servers >= servers-1 })
	}
	return o
}

// join starts a node that joins through the first server.
func (o *matrix) join(m *lab.Machine, args ...string) *process {
	o.t.Helper()
	return up(o.t, m.Name, append([]string{"--join", o.ticket}, args...)...)
}

// onRelay says that a node can be reached through so many relays.
func onRelay(relays int) func(api.Status) bool {
	return func(s api.Status) bool { return s.Ready && len(relaysOf(s.Addresses)) == relays }
}

// relaysOf lists the IP addresses of the relays that addresses lead through.
func relaysOf(addrs []string) map[string]bool {
	relays := make(map[string]bool)
	for _, a := range addrs {
		if strings.Contains(a, "/p2p-circuit") {
			relays[strings.Split(a, "/")[2]] = true
		}
	}
	return relays
}

// private says that a node has found out that nobody outside reaches it.
func private(s api.Status) bool { return s.Ready && s.Role == "client" && s.Reachability == "private" }

// api is a client of the node's API.
func (p *process) api() *client.Client { return client.New(client.Config{Socket: p.socket()}) }

// echo binds a pipe that gives back what it is sent, and returns its ID.
func (p *process) echo(name string) string {
	p.t.Helper()
	created, err := p.api().CreatePipe(p.t.Context(), api.CreateRequest{Name: name})
	if err != nil {
		p.t.Fatal(err)
	}
	l, err := p.api().Listen(p.t.Context(), name, api.ListenRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := io.Copy(c, c); err == nil {
					_ = c.CloseWrite() // the dialer tells what it missed
				}
			}()
		}
	}()
	return created.ID
}

// finds has the doctor look until it finds something, since nothing tells when a
// router has answered.
func (p *process) finds(code string, within time.Duration) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), within)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		out, err := p.command(ctx, "doctor", "--json").Output() // it fails if there is a problem
		if strings.Contains(string(out), `"`+code+`"`) {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatalf("the doctor does not find %s within %s: %v\n%s", code, within, err, out)
		}
	}
}

// id is the node's peer ID.
func (p *process) id() string {
	p.t.Helper()
	who, err := p.api().ID(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return who.Peer
}

// dial connects to a pipe and tells how.
func (p *process) dial(id string, q api.DialQuery) (*client.Conn, api.Connection, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	q.Wait = api.Duration(20 * time.Second)
	c, err := p.api().Dial(ctx, id, q)
	if err != nil {
		return nil, api.Connection{}, err
	}
	about, err := c.About(ctx)
	return c, about, err
}

// mustDial fails the test when there is no connection.
func (p *process) mustDial(id string, q api.DialQuery) (*client.Conn, api.Connection) {
	p.t.Helper()
	c, about, err := p.dial(id, q)
	if err != nil {
		p.t.Fatalf("dial %+v: %v", q, err)
	}
	p.t.Cleanup(func() { c.Close() })
	return c, about
}

// roundTrip sends so many bytes to an echo and checks what comes back.
func roundTrip(t *testing.T, c *client.Conn, size int) {
	t.Helper()
	sent := make([]byte, size)
	rand.Read(sent)
	go func() {
		if _, err := c.Write(sent); err == nil {
			_ = c.CloseWrite() // what is missing shows in what comes back
		}
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("of %d bytes %d came back, equal: %v, %v", size, len(got), bytes.Equal(got, sent), err)
	}
}

func TestBehindTwoNATsRelayedThenDirect(t *testing.T) {
	o := newMatrix(t, 3, 1)
	binder := o.join(o.internet.Router("ra", "24.20.1.1", lab.Masquerade, "192.168.1.1/24").Host("a"), "--no-mdns", "--no-portmap")
	dialer := o.join(o.internet.Router("rb", "26.21.1.1", lab.Masquerade, "192.168.1.1/24").Host("b"), "--no-mdns", "--no-portmap")
	begun := time.Now()
	binder.until("private", private)
	binder.until("on the relay", onRelay(1))
	t.Logf("private and on a relay after %s", time.Since(begun))
	id := binder.echo("echo")
	dialer.until("ready", ready)
	begun = time.Now()
	first, about := dialer.mustDial(id, api.DialQuery{Transport: "relay"})
	relayed := time.Since(begun)
	if about.Transport != "relay" {
		t.Errorf("the first connection is over %s", about.Transport)
	}
	second, about := dialer.mustDial(id, api.DialQuery{Path: "direct-only"})
	t.Logf("relayed after %s, direct after %s", relayed, time.Since(begun))
	if about.Transport != "quic-v1" || !strings.Contains(about.Endpoint, "/ip4/24.20.1.1/") {
		t.Errorf("the second connection is over %s at %s", about.Transport, about.Endpoint)
	}
	roundTrip(t, second, 8<<20)
	roundTrip(t, first, 1<<20) // what went by the relay is still there
	third, about := dialer.mustDial(id, api.DialQuery{})
	if about.Transport != "quic-v1" {
		t.Errorf("what is dialled without a wish is over %s", about.Transport)
	}
	roundTrip(t, third, 1<<10)
	if out := dialer.run("explain", id); !strings.Contains(out, "dial quic-v1") {
		t.Errorf("explain says:\n%s", out)
	}
}

func TestMappedPortIsReachedWithoutRelay(t *testing.T) {
	o := newMatrix(t, 3, 0)
	home := o.internet.Router("home", "24.20.1.1", lab.Masquerade, "192.168.1.1/24")
	home.MapPorts()
	begun := time.Now()
	binder := o.join(home.Host("a"), "--no-mdns")
	binder.until("public by the mapped port", func(s api.Status) bool {
		return s.Ready && s.Role == "server" && s.Reachability == "public" && strings.Contains(fmt.Sprint(s.Addresses), "/ip4/24.20.1.1/")
	})
	t.Logf("public after %s", time.Since(begun))
	id := binder.echo("echo")
	dialer := o.join(o.internet.Router("rb", "26.21.1.1", lab.Symmetric, "192.168.1.1/24").Host("b"), "--no-mdns", "--no-portmap")
	dialer.until("ready", ready)
	c, about := dialer.mustDial(id, api.DialQuery{Path: "direct-only"})
	if !strings.Contains(about.Endpoint, "/ip4/24.20.1.1/") {
		t.Errorf("connected at %s", about.Endpoint)
	}
	roundTrip(t, c, 4<<20)
}

// TestDoubleNATIsNamed: the home's router maps ports, or would, but is itself
// behind a carrier's. Debian's miniupnpd maps nothing where its own address is
// private; where the carrier uses addresses that look public, it does, and what
// it says is not what others see.
func TestDoubleNATIsNamed(t *testing.T) {
	for _, c := range []struct{ name, carrier, home string }{
		{"carrier with private addresses", "100.64.0.1/10", "100.64.0.9"},
		{"carrier with addresses that look public", "30.0.0.1/8", "30.0.0.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMatrix(t, 3, 1)
			carrier := m.internet.Router("carrier", "24.20.1.1", lab.Masquerade, c.carrier)
			home := carrier.LAN.Router("home", c.home, lab.Masquerade, "192.168.1.1/24")
			home.MapPorts()
			begun := time.Now()
			inside := m.join(home.Host("a"), "--no-mdns")
			inside.until("private", private)
			inside.finds("double-nat", time.Minute)
			t.Logf("named after %s", time.Since(begun))
			// Two layers of such NATs let holes through all the same.
			dialer := m.join(m.internet.Router("rb", "26.21.1.1", lab.Masquerade, "192.168.1.1/24").Host("b"), "--no-mdns", "--no-portmap")
			inside.until("on the relay", onRelay(1))
			dialer.until("ready", ready)
			conn, about := dialer.mustDial(inside.echo("echo"), api.DialQuery{Path: "direct-only"})
			if !strings.Contains(about.Endpoint, "/ip4/24.20.1.1/") {
				t.Errorf("connected at %s", about.Endpoint)
			}
			roundTrip(t, conn, 1<<20)
			if out := inside.run("explain", dialer.id()); !strings.Contains(out, "double NAT") {
				t.Errorf("explain says:\n%s", out)
			}
		})
	}
}

func TestDeadRelayIsReplaced(t *testing.T) {
	o := newMatrix(t, 4, 3)
	binder := o.join(o.internet.Router("ra", "24.20.1.1", lab.Symmetric, "192.168.1.1/24").Host("a"), "--no-mdns", "--no-portmap")
	binder.until("on two relays", onRelay(2))
	id := binder.echo("echo")
	status, err := binder.api().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	used := relaysOf(status.Addresses)
	dead := -1
	for i := 1; i < 3; i++ { // not the first, through which others join
		if used[publicAddrs[i]] {
			dead = i
		}
	}
	begun := time.Now()
	o.servers[dead].kill()
	binder.until("on another relay", func(s api.Status) bool {
		now := relaysOf(s.Addresses)
		return len(now) == 2 && !now[publicAddrs[dead]]
	})
	t.Logf("on another relay after %s", time.Since(begun))
	dialer := o.join(o.internet.Router("rb", "26.21.1.1", lab.Symmetric, "192.168.1.1/24").Host("b"), "--no-mdns", "--no-portmap")
	dialer.until("ready", ready)
	dialled := time.Now()
	c, about := dialer.mustDial(id, api.DialQuery{})
	t.Logf("dialled by %s in %s, %s after the relay's death", about.Endpoint, time.Since(dialled), time.Since(begun))
	if about.Transport != "relay" || strings.Contains(about.Endpoint, publicAddrs[dead]) {
		t.Errorf("connected over %s at %s", about.Transport, about.Endpoint)
	}
	roundTrip(t, c, 1<<20)
}

func TestNeighboursBehindOneNATGoDirect(t *testing.T) {
	for _, mdns := range []bool{true, false} {
		t.Run(fmt.Sprintf("mdns=%v", mdns), func(t *testing.T) {
			o := newMatrix(t, 3, 1)
			home := o.internet.Router("home", "24.20.1.1", lab.Masquerade, "192.168.1.1/24")
			args := []string{"--no-portmap"}
			if !mdns {
				args = append(args, "--no-mdns")
			}
			binder, dialer := o.join(home.Host("a"), args...), o.join(home.Host("b"), args...)
			binder.until("on the relay", onRelay(1))
			dialer.until("private", private)
			id := binder.echo("echo")
			c, about := dialer.mustDial(id, api.DialQuery{})
			if !strings.HasPrefix(about.Endpoint, "/ip4/192.168.1.") || about.Transport == "relay" {
				t.Errorf("connected over %s at %s", about.Transport, about.Endpoint)
			}
			roundTrip(t, c, 8<<20)
		})
	}
}

func TestBehindTwoSymmetricNATsStaysRelayed(t *testing.T) {
	o := newMatrix(t, 3, 1)
	binder := o.join(o.internet.Router("ra", "24.20.1.1", lab.Symmetric, "192.168.1.1/24").Host("a"), "--no-mdns", "--no-portmap")
	dialer := o.join(o.internet.Router("rb", "26.21.1.1", lab.Symmetric, "192.168.1.1/24").Host("b"), "--no-mdns", "--no-portmap")
	binder.until("on the relay", onRelay(1))
	id := binder.echo("echo")
	dialer.until("ready", ready)
	c, about := dialer.mustDial(id, api.DialQuery{})
	if about.Transport != "relay" {
		t.Errorf("connected over %s", about.Transport)
	}
	roundTrip(t, c, 2<<20)
	_, _, err := dialer.dial(id, api.DialQuery{Path: "direct-only"})
	if !errors.Is(err, wire.Unreachable) || !strings.Contains(err.Error(), "hole punching did not succeed") || wire.NextOf(err) == "" {
		t.Errorf("direct-only: %v (next: %s)", err, wire.NextOf(err))
	}
	if out := dialer.run("explain", id); !strings.Contains(out, "relay") {
		t.Errorf("explain of the pipe says:\n%s", out)
	}
	if out := dialer.run("explain", binder.id()); !strings.Contains(out, "over a relay") || !strings.Contains(out, "NATs that hole punching has not crossed") {
		t.Errorf("explain of the binder says:\n%s", out)
	}
}
