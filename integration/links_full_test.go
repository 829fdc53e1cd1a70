//go:build full

package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/lab"
	"github.com/panpipe-net/panpipe/node/control/api"
)

// Connections of whole nodes that outlive what carries them: real processes in
// network namespaces, bytes that go to an echo and back all the while, and a
// network that turns bad under them.

const (
	binderAddr = "24.20.1.1"
	dialerAddr = "26.21.1.1"
)

const (
	// noticed is how soon a path that swallows everything is to be known as dead.
	noticed = 5 * time.Second
	// told is the same of a path whose end the kernel tells of.
	told = time.Second
	// another is how long it may take then until bytes come over another path,
	// on a machine that is busy with other tests.
	another = 2 * time.Second
)

// stretch is two nodes on an internet, the first of which has an echo.
type stretch struct {
	*matrix
	binderAt, dialerAt *lab.Machine
	binder, dialer     *process
	echo               string // the pipe's ID
}

// newStretch makes the two machines, which prepare may change, and starts the nodes.
func newStretch(t *testing.T, prepare func(p *stretch)) *stretch {
	p := &stretch{matrix: newMatrix(t, 1, 0)}
	p.binderAt, p.dialerAt = p.internet.Host("binder", binderAddr), p.internet.Host("dialer", dialerAddr)
	if prepare != nil {
		prepare(p)
	}
	p.binder = p.join(p.binderAt, "--no-mdns", "--no-portmap")
	p.dialer = p.join(p.dialerAt, "--no-mdns", "--no-portmap")
	p.binder.until("ready", ready)
	p.echo = p.binder.echo("echo")
	p.dialer.until("ready", ready)
	return p
}

// without keeps a machine from hearing a protocol of IP, tcp or udp: its filter
// drops that, or rejects it with a word to the sender. A reset, which is such a
// word, gets through. It returns what ends that.
func without(m *lab.Machine, protocol, how string) (allow func()) {
	m.Filter(fmt.Sprintf(`
table inet no_%[1]s {
	chain in {
		type filter hook input priority 0;
		tcp flags rst accept
		iifname "eth*" meta l4proto %[1]s %[2]s
	}
}`, protocol, how))
	return func() { m.Sh("nft delete table inet no_%s", protocol) }
}

// begin dials the echo over a transport and has bytes go there and back. Both
// sides could use any other transport as well.
func (p *stretch) begin(transport string) *flow {
	p.t.Helper()
	c, about := p.dialer.mustDial(p.echo, api.DialQuery{})
	if about.Transport != transport {
		p.t.Fatalf("the connection begins over %s, not %s", about.Transport, transport)
	}
	f := newFlow(p.t, c)
	f.pass(plenty)
	return f
}

// TestLinkOutlivesTheDialersAddress: a QUIC connection may live on, since it is
// bound to no address and the far side follows it to the new one.
func TestLinkOutlivesTheDialersAddress(t *testing.T) {
	for transport, other := range map[string]string{"tcp": "udp", "quic-v1": "tcp"} {
		t.Run(transport, func(t *testing.T) {
			p := newStretch(t, func(p *stretch) { without(p.binderAt, other, "drop") })
			f := p.begin(transport)
			f.strike("the dialer's address changes")
			p.dialerAt.Sh(`
				ip addr del %s/32 dev eth0
				ip addr add 26.21.1.99/32 dev eth0
				ip route replace default dev eth0`, dialerAddr)
			f.pass(plenty)
			f.wants(told, told+another)
		})
	}
}

func TestLinkGoesOnOverAnotherTransport(t *testing.T) {
	for _, c := range []struct {
		name, first, killed, how, second, spare string
		detected                                time.Duration
	}{
		{"TCP is reset, QUIC is left", "tcp", "tcp", "reject with tcp reset", "quic-v1", "udp", told},
		{"UDP is rejected, TCP is left", "quic-v1", "udp", "reject", "tcp", "tcp", noticed},
		{"UDP is dropped, TCP is left", "quic-v1", "udp", "drop", "tcp", "tcp", noticed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var allow func()
			p := newStretch(t, func(p *stretch) { allow = without(p.binderAt, c.spare, "drop") })
			f := p.begin(c.first)
			allow()
			f.strike(c.name)
			for _, m := range []*lab.Machine{p.binderAt, p.dialerAt} {
				without(m, c.killed, c.how)
			}
			f.pass(plenty)
			legs := f.wants(c.detected, c.detected+another)
			if last := legs[len(legs)-1]; last.Transport != c.second && last.Transport != "ws" {
				t.Errorf("goes on over %s", last.Transport)
			}
		})
	}
}

// TestLinkTakesTheOtherCable silences one of two networks that both machines are
// plugged in, without a word.
func TestLinkTakesTheOtherCable(t *testing.T) {
	var second *lab.Network
	p := newStretch(t, func(p *stretch) {
		second = p.internet.Beside("45.30.0.0/16")
		second.Plug(p.binderAt, "45.30.1.1")
		second.Plug(p.dialerAt, "45.30.2.1")
	})
	c, about := p.dialer.mustDial(p.echo, api.DialQuery{})
	f := newFlow(t, c)
	f.pass(plenty)
	used, left := p.internet, "45.30."
	if strings.Contains(about.Endpoint, left) {
		used, left = second, binderAddr
	}
	f.strike("everything to " + about.Endpoint + " is swallowed")
	used.Silence(p.binderAt)
	f.pass(plenty)
	legs := f.wants(noticed, noticed+another)
	if last := legs[len(legs)-1]; !strings.Contains(last.Endpoint, left) {
		t.Errorf("goes on at %s", last.Endpoint)
	}
}

func TestLinkOutlivesHalfAMinuteWithoutNetwork(t *testing.T) {
	const outage = 30 * time.Second
	for _, c := range []struct {
		name     string
		out, in  func(p *stretch)
		detected time.Duration
		back     time.Duration // once the network is
	}{
		{"the cable is pulled", func(p *stretch) { p.dialerAt.Sh("ip link set eth0 down") },
			func(p *stretch) { p.dialerAt.Sh("ip link set eth0 up && ip route replace default dev eth0") }, told, noticed},
		{"everything is swallowed", func(p *stretch) { p.internet.Silence(p.dialerAt) },
			func(p *stretch) { p.internet.Restore(p.dialerAt) }, noticed, 3 * noticed},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newStretch(t, nil)
			conn, _ := p.dialer.mustDial(p.echo, api.DialQuery{})
			f := newFlow(t, conn)
			f.pass(plenty)
			f.strike(c.name)
			c.out(p)
			<-time.After(outage)
			c.in(p)
			f.pass(plenty)
			f.wants(c.detected, outage+c.back)
		})
	}
}

func TestLinkOutlivesItsRelay(t *testing.T) {
	o := newMatrix(t, 4, 3)
	binder := o.join(o.internet.Router("ra", "24.20.1.1", lab.Symmetric, "192.168.1.1/24").Host("a"), "--no-mdns", "--no-portmap")
	dialer := o.join(o.internet.Router("rb", "26.21.1.1", lab.Symmetric, "192.168.1.1/24").Host("b"), "--no-mdns", "--no-portmap")
	binder.until("on two relays", onRelay(2))
	id := binder.echo("echo")
	dialer.until("ready", ready)
	c, about := dialer.mustDial(id, api.DialQuery{})
	if about.Transport != "relay" {
		t.Fatalf("connected over %s", about.Transport)
	}
	f := newFlow(t, c)
	f.pass(plenty)
	for i, addr := range publicAddrs {
		if strings.Contains(about.Endpoint, addr) {
			f.strike("the relay " + about.Endpoint + " dies")
			o.servers[i].kill()
		}
	}
	f.pass(plenty)
	legs := f.wants(noticed, noticed+another)
	if last := legs[len(legs)-1]; last.Endpoint == about.Endpoint {
		t.Errorf("goes on over %s at %s", last.Transport, last.Endpoint)
	}
}

// TestLinkOutlivesASleepOfTheMachine stops a process for so long that the far
// side gives the path up, with its cable silent meanwhile, as a machine's that
// sleeps. Its monotonic clock goes on, which that of a sleeping machine does
// not: package node has that case in virtual time.
func TestLinkOutlivesASleepOfTheMachine(t *testing.T) {
	const sleep = 20 * time.Second
	for _, who := range []string{"dialer", "binder"} {
		t.Run(who, func(t *testing.T) {
			p := newStretch(t, nil)
			c, _ := p.dialer.mustDial(p.echo, api.DialQuery{})
			f := newFlow(t, c)
			f.pass(plenty)
			machine, process := p.dialerAt, p.dialer
			if who == "binder" {
				machine, process = p.binderAt, p.binder
			}
			f.strike("the " + who + " sleeps")
			p.internet.Silence(machine)
			process.signal(syscall.SIGSTOP)
			<-time.After(sleep)
			p.internet.Restore(machine)
			process.signal(syscall.SIGCONT)
			f.pass(plenty)
			f.wants(sleep+noticed, sleep+3*noticed)
		})
	}
}

// signal sends the daemon a signal.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.daemon.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}
