package pipe

import (
	"bytes"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
)

// BenchmarkCachedResolve is the time to the endpoints of a pipe that this node
// has resolved before: no network, at most 5 µs.
func BenchmarkCachedResolve(b *testing.B) {
	_, n := loopback(b, 2)
	id := n[0].create(b, CreateOptions{})
	n[0].listen(b, id, ListenOptions{})
	if _, err := n[1].Resolve(b.Context(), id, ResolveOptions{}); err != nil {
		b.Fatal(err)
	}
	n[1].cfg.Tracer = noTracer{} // the tests' own keeps every event
	b.ReportAllocs()
	for b.Loop() {
		if _, err := n[1].Resolve(b.Context(), id, ResolveOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// small is what a channel of the benchmarks carries, there and back.
const small = 64

// BenchmarkChannel is one dial by a Keeper, 64 bytes there and back, and the
// close at both sides, over tcp and tls on loopback.
func BenchmarkChannel(b *testing.B) {
	_, n := loopback(b, 2, "/ip4/127.0.0.1/tcp/0")
	id := n[0].create(b, CreateOptions{DialPolicy: DialListed})
	n[0].listen(b, id, ListenOptions{AllowAnyone: true, Handler: func(i *Incoming) {
		c, err := i.Accept()
		if err != nil {
			return
		}
		answer(c)
		c.Close()
	}})
	k := n[1].keep(b, id, KeepOptions{})
	ready(b, k, 1)
	n[0].cfg.Tracer, n[1].cfg.Tracer = noTracer{}, noTracer{} // the tests' own keeps every event
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			exchangeOn(b, k)
		}
	})
	b.Run("16", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(8)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				exchangeOn(b, k)
			}
		})
	})
}

func exchangeOn(b *testing.B, k *Keeper) {
	c, err := k.Dial(b.Context(), ChannelOptions{})
	must(b, err)
	ask(b, c)
	must(b, c.Close())
}

// BenchmarkRawStream is BenchmarkChannel with a bare stream of libp2p each time.
func BenchmarkRawStream(b *testing.B) {
	_, n := loopback(b, 2, "/ip4/127.0.0.1/tcp/0")
	must(b, n[1].host.Connect(b.Context(), n[0].info()))
	n[0].host.SetStreamHandler("/bench", func(s network.Stream) {
		answer(s)
		s.Close()
	})
	b.ReportAllocs()
	for b.Loop() {
		s, err := n[1].host.NewStream(b.Context(), n[0].id(), "/bench")
		must(b, err)
		ask(b, s)
		must(b, s.Close())
	}
}

var asked = bytes.Repeat([]byte("?"), small)

// ask sends 64 bytes and reads as many, then the end.
func ask(b *testing.B, c io.ReadWriter) {
	_, err := c.Write(asked)
	must(b, err)
	var buf [small]byte
	_, err = io.ReadFull(c, buf[:])
	must(b, err)
}

func answer(c io.ReadWriter) {
	var buf [small]byte
	if _, err := io.ReadFull(c, buf[:]); err == nil {
		_, _ = c.Write(buf[:])
	}
}
