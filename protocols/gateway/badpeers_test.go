package gateway

import (
	"encoding/hex"
	"io"
	"net"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// recorder is a service that sends back what comes, and keeps it for each
// connection.
func recorder(t testing.TB) (addr string, heard <-chan string) {
	t.Helper()
	all := make(chan string, 100)
	return serve(t, func(c *net.TCPConn) {
		var got []byte
		b := make([]byte, 1<<10)
		for {
			n, err := c.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				_ = c.CloseWrite()
				all <- string(got)
				return
			}
			_, _ = c.Write(b[:n])
		}
	}).addr(), all
}

// channelOf is the ID of the one channel of a rule.
func (n *node) channelOf(t testing.TB, rule string) (id link.ID) {
	t.Helper()
	all, err := n.Channels(rule)
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("%d channels", len(all))
	}
	b, err := hex.DecodeString(all[0].ID)
	must(t, err)
	copy(id[:], b)
	return id
}

// refused wants a leg refused with a word, and left.
func (h *hand) refused(what string, handle uint64, code wire.Code) {
	h.t.Helper()
	if _, why := h.hears(handle, linkRefused); wire.Code(why[0]) != code {
		h.t.Errorf("%s is refused as %s, not %s", what, wire.Code(why[0]), code)
	}
	h.hears(handle, trunkLeave)
	h.says(handle, trunkLeave, 0)
}

// published is a world of three nodes, of which the first exposes a recorder.
func published(t *testing.T) (nodes []*node, s Status, heard <-chan string) {
	t.Helper()
	_, nodes = newWorld(t, 3)
	target, heard := recorder(t)
	return nodes, nodes[0].expose(t, target, "web"), heard
}

func TestDataForAChannelThatHasClosedIsCountedAndDropped(t *testing.T) {
	nodes, s, heard := published(t)
	bystander := dial(t, nodes[1].forward(t, s))
	converse(t, bystander, 100)
	h := byHand(t, nodes[2], nodes[0])
	other, code := h.dials(link.NewID(), s.Pipe)
	if code != wire.OK {
		t.Fatalf("answered %s", code)
	}
	closed, _ := h.dials(link.NewID(), s.Pipe)
	converseByHand(t, closed, "hello")
	closed.ends()
	if got := <-heard; got != "hello" {
		t.Errorf("the service heard %q", got)
	}

	before := nodes[0].trunks.Stats()
	h.says(closed.handle, linkData, []byte("late")...)
	h.says(closed.handle, linkOpen, registers(link.NewID(), 1)...) // the number anew
	h.says(closed.handle, linkData, opens(s.Pipe)...)
	h.refused("the channel taken up again", h.leg(linkResume, resumes(closed.id, 2, 0)), wire.Gone)
	converseByHand(t, other, "still here")
	converse(t, bystander, 100)
	after := nodes[0].trunks.Stats()
	if late := after.Late - before.Late; late != 3 || after.Violations != before.Violations {
		t.Errorf("%d frames were late, %d carriers ended", late, after.Violations-before.Violations)
	}
	if st := nodes[0].Rules()[0]; st.Opened != 3 || st.Channels != 2 {
		t.Errorf("%d channels were opened, %d are", st.Opened, st.Channels)
	}
	other.ends()
}

// converseByHand says something over a channel, and wants to hear it again.
func converseByHand(t testing.TB, c *handChannel, text string) {
	t.Helper()
	c.sends([]byte(text)...)
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("%q comes back, %v", got, err)
	}
}

func TestDataForAnUnknownChannelEndsTheCarrierAndNoChannel(t *testing.T) {
	nodes, s, heard := published(t)
	bystander := dial(t, nodes[1].forward(t, s))
	converse(t, bystander, 100)
	h := byHand(t, nodes[2], nodes[0])
	own, _ := h.dials(link.NewID(), s.Pipe)
	converseByHand(t, own, "hello")

	before := nodes[0].trunks.Stats()
	h.refused("a channel that never was", h.leg(linkResume, resumes(link.NewID(), 2, 0)), wire.Gone)
	h.leg(linkData, []byte("out of nowhere"))
	h.ended()
	if after := nodes[0].trunks.Stats(); after.Violations != before.Violations+1 {
		t.Errorf("%d carriers ended", after.Violations-before.Violations)
	}
	converse(t, bystander, 100)
	again := byHand(t, nodes[2], nodes[0])
	again.next = h.next // of one connection
	resumed := again.leg(linkResume, resumes(own.id, 2, own.read))
	again.hears(resumed, linkResumed)
	again.says(resumed, linkReset, byte(wire.Gone), 0)
	if got := <-heard; got != "hello" {
		t.Errorf("the service heard %q", got)
	}
	if st := nodes[0].Rules()[0]; st.Opened != 2 {
		t.Errorf("%d channels were opened", st.Opened)
	}
}

func TestWhoNamesTheChannelOfAnotherIsRefusedAndCounted(t *testing.T) {
	nodes, s, heard := published(t)
	client := dial(t, nodes[1].forward(t, s))
	converse(t, client, 100)
	id := nodes[0].channelOf(t, "web")
	thief := nodes[2]
	for name, n := range map[string]*node{"the exposing node": nodes[0], "the forwarding node": nodes[1]} {
		h := byHand(t, thief, n)
		before := n.trunks.Stats()
		resumed := h.leg(linkResume, resumes(id, 1000, 0))
		h.says(resumed, linkData, []byte("stolen")...)
		h.refused("RESUME at "+name, resumed, wire.Forbidden)
		opened := h.leg(linkOpen, registers(id, 2))
		want := wire.Forbidden
		if n == nodes[1] {
			want = wire.Taken // it has opened the link itself
		}
		h.refused("OPEN at "+name, opened, want)
		h.says(opened, linkData, opens(s.Pipe)...)
		mine, code := h.dials(link.NewID(), s.Pipe) // what was said before has been read
		if want := map[bool]wire.Code{true: wire.OK, false: wire.Unbound}[n == nodes[0]]; code != want {
			t.Errorf("%s answers the thief's own channel with %s", name, code)
		}
		if got := n.blamed.of(thief.id()); got < 1 {
			t.Errorf("%s has blamed the thief %d times", name, got)
		}
		if after := n.trunks.Stats(); after.Late < before.Late+1 || after.Violations != before.Violations {
			t.Errorf("%s: %+v, before %+v", name, after, before)
		}
		if code == wire.OK {
			mine.ends()
			if got := <-heard; got != "" {
				t.Errorf("the thief's channel has brought %q", got)
			}
		}
		converse(t, client, 100)
	}
	if nodes[0].channelOf(t, "web") != id || len(heard) > 0 {
		t.Error("the client's channel is another one")
	}
}

func TestAnIDInUseIsNoChannelAnew(t *testing.T) {
	_, nodes := newWorld(t, 2)
	target, heard := recorder(t)
	s := nodes[0].expose(t, target, "web")
	h := byHand(t, nodes[1], nodes[0])
	id := link.NewID()
	c, _ := h.dials(id, s.Pipe)
	converseByHand(t, c, "one")
	h.refused("OPEN once more", h.leg(linkOpen, registers(id, 1)), wire.Taken)
	converseByHand(t, c, "two")

	// A later leg of the same channel: what it repeats is dropped, and since it
	// does not say what it has, it gets all once more.
	moved := h.leg(linkOpen, registers(id, 2))
	h.hears(moved, linkResumed)
	c.handle = moved
	h.says(moved, linkData, make([]byte, c.sent)...)
	_, err := io.CopyN(io.Discard, c, int64(c.read))
	must(t, err)
	c.read /= 2
	converseByHand(t, c, "three")
	if st := nodes[0].Rules()[0]; st.Opened != 1 || st.Channels != 1 {
		t.Errorf("%d channels were opened, %d are", st.Opened, st.Channels)
	}
	c.ends()
	if got := <-heard; got != "onetwothree" {
		t.Errorf("the service heard %q", got)
	}

	// When both sides have forgotten it, it names another channel.
	c, code := h.dials(id, s.Pipe)
	if code != wire.OK {
		t.Fatalf("answered %s", code)
	}
	converseByHand(t, c, "new")
	c.ends()
	if got := <-heard; got != "new" {
		t.Errorf("the service heard %q", got)
	}
}

func TestPeersReachNothingButWhatRulesExpose(t *testing.T) {
	_, nodes := newWorld(t, 2)
	target, heard := recorder(t)
	secret := serve(t, func(*net.TCPConn) { t.Error("a service that no rule exposes was connected to") })
	s := nodes[0].expose(t, target, "web")
	unserved := nodes[0].createOpen(t, "unserved")
	h := byHand(t, nodes[1], nodes[0])
	if _, code := h.dials(link.NewID(), unserved); code != wire.Unbound {
		t.Errorf("a pipe that no rule serves: %s", code)
	}
	// An address in a field that a later version might have: nobody looks at it.
	field := append([]byte{0xa2, 0x06, byte(len(secret.addr()))}, secret.addr()...) // number 100, a string
	c, code := h.dials(link.NewID(), s.Pipe, field...)
	if code != wire.OK {
		t.Fatalf("answered %s", code)
	}
	converseByHand(t, c, "hello")
	c.ends()
	if got := <-heard; got != "hello" {
		t.Errorf("the service heard %q", got)
	}
}
