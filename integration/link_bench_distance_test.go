//go:build figures

package integration

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/integration/delay"
	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
)

const (
	distance     = 50 * time.Millisecond // there and back
	distantTCP   = 512 << 20             // bytes of one transfer in real time
	distantQUIC  = 128 << 20             // in virtual time
	distantTurns = 3
)

// measureDistanceTCP measures one bulk stream through a relay that delays, from
// its opening on. Raw streams are measured on a host as it comes and on one
// with the node's muxer.
func measureDistanceTCP(t *testing.T, report *figures.Report) {
	for _, w := range ways() {
		if w.name == "quic" {
			continue
		}
		for _, kind := range []string{"raw", "raw-node", "link"} {
			name := fmt.Sprintf("%s_50ms_%s", strings.ReplaceAll(kind, "-", "_"), w.name)
			bound := "-"
			if kind == "link" {
				bound = ">=500"
			}
			s := pairThrough(t, kind, w, func(far ma.Multiaddr) ma.Multiaddr { return delayed(t, far) })
			if s == nil {
				report.Missing(name, "Mbit/s", bound)
				continue
			}
			var rates []float64
			for range distantTurns {
				began := time.Now()
				n, err := bulk(s, pageWrite, func(sent int64) bool { return sent < distantTCP })
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				rates = append(rates, float64(n)*8/1e6/time.Since(began).Seconds())
			}
			report.Add(name, percentile(rates, 50), "Mbit/s", bound)
		}
	}
}

// delayed is the address of a relay before far, at half the distance each way.
func delayed(t tester, far ma.Multiaddr) ma.Multiaddr {
	t.Helper()
	relay, addr := relayTo(t, far)
	t.Cleanup(func() {
		if err := relay.Close(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// relayTo starts a relay before far and makes its address of far's.
func relayTo(t tester, far ma.Multiaddr) (*delay.Relay, ma.Multiaddr) {
	t.Helper()
	transport, id := peer.SplitAddr(far)
	_, target, err := manet.DialArgs(transport)
	if err != nil {
		t.Fatal(err)
	}
	relay, err := delay.New(target, distance/2)
	if err != nil {
		t.Fatal(err)
	}
	addr := "/ip4/127.0.0.1/tcp/" + strconv.Itoa(relay.Addr().Port) + "/p2p/" + id.String()
	return relay, ma.StringCast(addr)
}

// inDistantWorld makes two nodes at the distance, in virtual time, and gives
// test the subjects of a kind on them, connected. It reports false for a kind
// that this build lacks.
func inDistantWorld(t *testing.T, kind string, test func(t *testing.T, near, far subject)) bool {
	if kind == "link" && !haveLinks {
		return false
	}
	world.Run(t, world.Config{Nodes: 2, OneWay: distance / 2}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		far, near := subjectOn(t, kind, w.Nodes[0].Node), subjectOn(t, kind, w.Nodes[1].Node)
		defer far.Close()
		defer near.Close()
		serveAll(far)
		if err := near.Connect(t.Context(), far.Addr()); err != nil {
			t.Fatal(err)
		}
		test(t, near, far)
	})
	return true
}

// subjectOn makes a subject of a kind on a node that another owns.
func subjectOn(t *testing.T, kind string, n *node.Node) subject {
	t.Helper()
	if kind == "raw" {
		return &borrowed{raw{Host: n.Host()}}
	}
	s, err := linkedOn(n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// borrowed is raw streams on a host that somebody else closes.
type borrowed struct{ raw }

func (b *borrowed) Close() error { return nil }

// measureDistanceQUIC measures one bulk stream over QUIC on a path of 1 Gbit/s
// in virtual time: each kind in a world of its own, so that neither finds a
// connection that the other has opened wide.
func measureDistanceQUIC(t *testing.T, report *figures.Report) {
	rates := map[string]float64{"raw": math.NaN(), "link": math.NaN()}
	for kind := range rates {
		inDistantWorld(t, kind, func(t *testing.T, near, _ subject) {
			began := time.Now()
			n, err := bulk(near, pageWrite, func(sent int64) bool { return sent < distantQUIC })
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			rates[kind] = float64(n) * 8 / 1e6 / time.Since(began).Seconds()
		})
	}
	report.Add("raw_50ms_quic", rates["raw"], "Mbit/s", "-")
	report.Add("link_50ms_quic", rates["link"], "Mbit/s", "-")
	report.Add("link_50ms_quic_of_raw", rates["link"]/rates["raw"], "ratio", ">=0.95")
}

// measureFirstByte measures how long the first byte of a stream is under way
// once the two sides have had streams before.
func measureFirstByte(t *testing.T, report *figures.Report) {
	for kind, bound := range map[string]string{"raw": "-", "link": "<=0.5"} {
		took := math.NaN()
		inDistantWorld(t, kind, func(t *testing.T, near, far subject) {
			arrived := make(chan time.Time, 1)
			far.Accept("bench/first", func(s stream) {
				defer s.Close()
				if _, err := io.ReadFull(s, make([]byte, 1)); err == nil {
					arrived <- time.Now()
				}
				_, _ = drain(s) // over QUIC, closing before the end is a refusal of it
			})
			for range 3 { // the third finds all that it can need
				began := time.Now()
				s, err := near.Open(context.Background(), "bench/first")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
				took = (<-arrived).Sub(began).Seconds() / distance.Seconds()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		})
		report.Add(kind+"_first_byte", took, "rtt", bound)
	}
}
