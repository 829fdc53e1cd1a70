package trunk_test

import (
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// hello opens a carrier.
var hello = []byte{0, 3, 1, 0}

// handle is the first handle of a towards b.
func handle(a, b node) uint64 {
	if a.host.ID() > b.host.ID() {
		return 1
	}
	return 2
}

// open1 is a frame of a's first leg.
func open1(a, b node) []byte { return []byte{byte(handle(a, b)), 16, 1, 'x'} }

// liar opens a carrier for a peer that follows no rules.
func liar(t testing.TB, a node, p reach.Path) network.Stream {
	t.Helper()
	s, err := p.OpenStream(within(t), trunk.Protocol(overlay))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, s network.Stream, frames ...[]byte) {
	t.Helper()
	if _, err := s.Write(slices.Concat(frames...)); err != nil {
		t.Fatal(err)
	}
}

func TestViolationsEndTheCarrier(t *testing.T) {
	a, b, g := pair(t, "tcp-tls", trunk.Config{})
	p := path(t, a, b)
	mine := handle(a, b)
	theirs := byte(3 - mine)
	long := binary.AppendUvarint([]byte{byte(mine), 16}, 65_525)
	for name, frames := range map[string][][]byte{
		"no HELLO":                        {open1(a, b)},
		"two HELLOs":                      {hello, hello},
		"a leg that begins with LEAVE":    {hello, {byte(mine), 1, 0}},
		"a leg that begins with DATAGRAM": {hello, {byte(mine), 2, 1, 'x'}},
		"a handle that was not given":     {hello, {theirs, 16, 0}},
		"a handle in too many bytes":      {hello, {byte(mine) | 0x80, 0, 16, 0}},
		"a frame too long":                {hello, long},
		"SEEN of what was not sent":       {hello, {0, 4, 1, 100}},
		"SEEN without a number":           {hello, {0, 4, 0}},
		"a short PING":                    {hello, {0, 5, 1, 0}},
		"a long PING":                     {hello, {0, 5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		"two LEAVEs":                      {hello, open1(a, b), {byte(mine), 1, 0}, {byte(mine), 1, 0}},
	} {
		before := b.trunks.Stats()
		s := liar(t, a, p)
		write(t, s, frames...)
		if err := s.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(io.Discard, s)
		late := b.trunks.Stats().Late - before.Late
		// Two LEAVEs are a violation unless the first one's answer came between.
		if v := b.trunks.Stats().Violations - before.Violations; v+late != 1 {
			t.Errorf("%s: %d violations; the stream ended with %v", name, v, err)
		}
		_ = s.Reset()
	}
	for len(g) > 0 {
		(<-g).cause()
	}
	if !p.Live() {
		t.Error("the path was closed")
	}
}

func TestWhatIsUnknownOrLateIsPassedOver(t *testing.T) {
	a, b, g := pair(t, "tcp-tls", trunk.Config{})
	p := path(t, a, b)
	s := liar(t, a, p)
	mine := byte(handle(a, b))
	write(t, s, []byte{0, 3, 2, 0x80 | 126, 1}, // HELLO with unknown bits
		[]byte{0, 15, 3, 1, 2, 3}, open1(a, b), []byte{mine, 15, 2, 1, 2}, []byte{mine, 16, 1, 'y'})
	there := <-g
	there.hears(t, []byte("xy"))
	write(t, s, []byte{mine, 1, 0})
	there.cause()
	readUntil(t, s, []byte{mine, 1, 0})
	write(t, s, []byte{mine, 16, 1, 'z'}, []byte{mine + 2, 16, 1, 'n'})
	(<-g).hears(t, []byte("n"))
	if st := b.trunks.Stats(); st.Late != 1 || st.Violations != 0 {
		t.Errorf("%+v", st)
	}
	_ = s.Reset()
}

// readUntil reads s until it has read what.
func readUntil(t *testing.T, s network.Stream, what []byte) {
	t.Helper()
	var got []byte
	for b := make([]byte, 1); !slices.Equal(got[max(0, len(got)-len(what)):], what); got = append(got, b[0]) {
		if _, err := io.ReadFull(s, b); err != nil {
			t.Fatalf("%x: %v", got, err)
		}
	}
}

func TestPeerThatReadsNothingCannotMakeThisSideGrow(t *testing.T) {
	limits := trunk.Limits{Legs: 100, Refusals: 10}
	refuse := func(l *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
		l.Refuse(16, make([]byte, trunk.MaxRefusal))
		return nil, nil
	}
	a, b, _ := pair(t, "tcp-tls", trunk.Config{Limits: limits, Accept: refuse})
	p := path(t, a, b)
	s := liar(t, a, p)
	write(t, s, hello)
	for h := handle(a, b); ; h += 2 { // legs that are refused, and never left
		b := append(binary.AppendUvarint(nil, h), 16, 0)
		if _, err := s.Write(b); err != nil {
			break
		}
		if h > 100_000 {
			t.Fatal("the carrier goes on")
		}
	}
	_, err := io.Copy(io.Discard, s)
	if n := b.trunks.Stats(); n.Violations != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	_ = s.Reset()
}

func TestPingFloodIsAnsweredOnceInAWhile(t *testing.T) {
	a, b, _ := pair(t, "tcp-tls", trunk.Config{})
	s := liar(t, a, path(t, a, b))
	write(t, s, hello)
	for i := range 10_000 {
		write(t, s, append([]byte{0, 5, 8}, binary.BigEndian.AppendUint64(nil, uint64(i))...))
	}
	readUntil(t, s, append([]byte{0, 6, 8}, binary.BigEndian.AppendUint64(nil, 9_999)...))
	_ = s.Reset()
}

func TestCarriersAboveTheCapAreReset(t *testing.T) {
	a, b, g := pair(t, "tcp-tls", trunk.Config{Limits: trunk.Limits{Carriers: 3}})
	p := path(t, a, b)
	for range 3 {
		s := liar(t, a, p)
		write(t, s, hello)
		readSome(t, s, append(binary.AppendUvarint(nil, handle(a, b)+2*uint64(len(g))), 16, 0))
	}
	s := liar(t, a, p)
	write(t, s, hello)
	_, err := io.ReadFull(s, make([]byte, 1))
	if wire.CodeOf(err) != wire.Limit || b.trunks.Stats().RefusedCarriers != 1 {
		t.Errorf("%v; %+v", err, b.trunks.Stats())
	}
}

// readSome opens a leg and waits for the answer of its carrier.
func readSome(t *testing.T, s network.Stream, open []byte) {
	t.Helper()
	write(t, s, open)
	if _, err := io.ReadFull(s, make([]byte, len(hello))); err != nil {
		t.Fatal(err)
	}
}

func TestDatagramsAreFramesOnTCP(t *testing.T) {
	a, b, g := pair(t, "tcp-tls", trunk.Config{})
	here := newPlayer()
	here.on(attach(t, a, path(t, a, b), here, false))
	if err := here.leg.SendDatagram(nil); wire.CodeOf(err) != wire.NotReady {
		t.Error(err)
	}
	here.play([]byte("x"))
	datagrams(t, here, <-g)
}
