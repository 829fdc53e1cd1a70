//go:build figures

package integration

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/integration/delay"
	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// haveLinks says whether this build has links to measure.
const haveLinks = true

// linkMemory is how long a side remembers a link that is over: its time of
// grace, and a little.
const linkMemory = link.DefaultGrace + 5*time.Second

// benchOverlay keeps these trunks apart from the node's own.
const benchOverlay = "panpipe-bench"

// linked is links between nodes, with trunks of their own.
type linked struct {
	node   *node.Node
	owned  bool // the node is closed as well
	trunks *trunk.Trunks
	links  *link.Links
	path   reach.Path
	redial func(ctx context.Context) (reach.Path, error) // nil gives up
}

func newLinked(w way) (subject, error) {
	n, err := node.Start(context.Background(), node.Config{
		Listen: w.listen, DisableMDNS: true, DisablePortMapping: true,
		Libp2p: []libp2p.Option{onlySecurity(w.security)},
	})
	if err != nil {
		return nil, err
	}
	s, err := linkedOn(n)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	s.(*linked).owned = true
	return s, nil
}

// linkedOn puts links on a node that another owns.
func linkedOn(n *node.Node) (subject, error) {
	s := &linked{node: n}
	cfg := trunk.Config{Self: n.ID(), Overlay: benchOverlay, Reach: n.Reach()}
	cfg.Accept = func(leg *trunk.Leg, k trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
		return s.links.Accept(leg, k, in)
	}
	lazy := &lazyTrunks{}
	s.links = link.New(link.Config{Self: n.ID(), Trunks: lazy, Redial: func(ctx context.Context, _ link.Route) (reach.Path, error) {
		if s.redial == nil {
			return reach.Path{}, errors.New("no other path in this figure")
		}
		return s.redial(ctx)
	}})
	var err error
	s.trunks, err = trunk.New(cfg)
	lazy.Trunks = s.trunks
	return s, err
}

// lazyTrunks lets links exist before what carries them.
type lazyTrunks struct{ *trunk.Trunks }

func (s *linked) Addr() ma.Multiaddr { return addrOf(s.node.Host()) }

func (s *linked) Connect(ctx context.Context, far ma.Multiaddr) (err error) {
	s.path, err = s.pathTo(ctx, far)
	return err
}

// pathTo makes a path over the address alone.
func (s *linked) pathTo(ctx context.Context, far ma.Multiaddr) (reach.Path, error) {
	info, err := peer.AddrInfoFromP2pAddr(far)
	if err != nil {
		return reach.Path{}, err
	}
	p, _, err := s.node.Reach().Path(ctx, reach.Want{
		Peer: info.ID, Addrs: info.Addrs, Only: true, Transport: reach.TransportOf(info.Addrs[0]), Explicit: true,
	})
	return p, err
}

func (s *linked) Open(ctx context.Context, service string) (stream, error) {
	return s.links.Open(ctx, s.path, link.Options{Service: service})
}

func (s *linked) Accept(service string, serve func(stream)) {
	s.links.Handle(service, func(l *link.Link) { serve(l) })
}

func (s *linked) Close() error {
	err := errors.Join(s.links.Close(), s.trunks.Close())
	if s.owned {
		err = errors.Join(err, s.node.Close())
	}
	return err
}

// measurePauses measures how long a reader waits for the next byte when the
// connection under its link goes and another is at hand.
func measurePauses(t *testing.T, report *figures.Report) {
	pause := func(name string, harm func(s *linked, r severer)) time.Duration {
		return measurePause(t, name, harm)
	}
	rtts := func(d time.Duration) float64 { return d.Seconds() / distance.Seconds() }
	report.Add("link_pause_reset", rtts(pause("reset", func(_ *linked, r severer) { r.Reset() })), "rtt", "<=2")
	report.Add("link_pause_silence", pause("silence", func(_ *linked, r severer) { r.Silence() }).Seconds(), "s", "<=5.05")
	report.Add("link_pause_planned", float64(measurePlannedPause(t).Milliseconds()), "ms", "<=0")
}

const (
	paced     = "bench/paced" // sends so much at this pace, then ends
	pacePiece = 16 << 10
	pace      = 5 * time.Millisecond
	paceTime  = 4 * time.Second
	paceStart = time.Second // until then windows grow
)

// servePaced serves paced.
func servePaced(s stream) {
	defer s.Close()
	ticks := time.NewTicker(pace)
	defer ticks.Stop()
	for range paceTime / pace {
		<-ticks.C
		if _, err := s.Write(make([]byte, pacePiece)); err != nil {
			return
		}
	}
}

// measurePlannedPause reads, in virtual time, what comes at a pace while its
// link, which shares a carrier, gets one of its own. It returns by how much a
// piece came later than the pace has it.
func measurePlannedPause(t *testing.T) (late time.Duration) {
	inDistantWorld(t, "link", func(t *testing.T, near, far subject) {
		far.Accept(paced, servePaced)
		if _, err := holdOne(near); err != nil {
			t.Fatal(err)
		}
		st, err := near.Open(t.Context(), paced)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if _, err := st.Write(nil); err != nil {
			t.Fatal(err)
		}
		start, last := time.Now(), time.Now()
		for buf := make([]byte, pacePiece); ; {
			if _, err := io.ReadFull(st, buf); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			if now.Sub(start) > paceStart {
				late = max(late, now.Sub(last)-pace)
			}
			last = now
		}
		if legs, n := st.(*link.Link).Legs(); n != 2 || legs[1].Why != link.WhyBulk {
			t.Errorf("the link changed %d times, last: %+v", n-1, legs[len(legs)-1])
		}
	})
	return late
}

// identifier is a host that tells when it knows a peer's addresses.
type identifier interface{ IDService() identify.IDService }

// severer is what harms a path; *delay.Relay is one.
type severer interface {
	Reset()
	Silence()
}

// measurePause reads a source over a delayed TCP path, has it harmed, and
// returns the longest wait for a byte. The other path is QUIC's, without delay.
func measurePause(t *testing.T, name string, harm func(*linked, severer)) time.Duration {
	var relay *delay.Relay
	s := pairThrough(t, "link", twoWays(), func(far ma.Multiaddr) (addr ma.Multiaddr) {
		relay, addr = relayTo(t, far)
		return addr
	}).(*linked)
	defer relay.Close()
	<-s.node.Host().(identifier).IDService().IdentifyWait(s.path.Conn()) // it brings the other address
	other, _, err := s.node.Reach().Path(t.Context(), reach.Want{Peer: s.path.Peer(), Transport: reach.QUIC})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	s.redial = func(context.Context) (reach.Path, error) { return other, nil }
	st, err := s.Open(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	return longestWait(t, st, func() { harm(s, relay) })
}

// longestWait reads for eight seconds, after the first of which harm is done.
func longestWait(t *testing.T, st stream, harm func()) (longest time.Duration) {
	if _, err := st.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	began, last, harmed := time.Now(), time.Now(), false
	buf := make([]byte, 64<<10)
	for time.Since(began) < 8*time.Second {
		if _, err := st.Read(buf); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			t.Fatal(err)
		}
		if now := time.Now(); harmed {
			longest, last = max(longest, now.Sub(last)), now
		} else if now.Sub(began) > time.Second {
			harm()
			harmed, last = true, now
		}
	}
	return longest
}
