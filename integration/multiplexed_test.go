package integration

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/gateway"
)

// multiplexed is a proxy, a far node with a service behind it, and a tap on the
// trunk between them.
type multiplexed struct {
	t          *testing.T
	proxy, far *node.Node
	tap        *trunkTap
	entry      string // where clients connect
	service    *recording
	exposed    string // ID of the far node's rule
	forwarded  string // of the proxy's
}

// recording is a service that answers each client with what it said, and keeps
// what has come on each connection.
type recording struct {
	net.Listener
	serving  sync.WaitGroup
	accepted chan struct{}

	mu    sync.Mutex
	heard []*bytes.Buffer
}

func newRecording(t *testing.T) *recording {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{Listener: l, accepted: make(chan struct{}, 1000)}
	r.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.serving.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.serving.Wait()
	})
	return r
}

func (r *recording) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	got := new(bytes.Buffer)
	r.mu.Lock()
	r.heard = append(r.heard, got)
	r.mu.Unlock()
	r.accepted <- struct{}{}
	for b := make([]byte, 1<<10); ; {
		n, err := c.Read(b)
		r.mu.Lock()
		got.Write(b[:n])
		r.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// all is what has come on each connection, sorted.
func (r *recording) all() (texts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.heard {
		texts = append(texts, b.String())
	}
	slices.Sort(texts)
	return texts
}

// multiplex sets a proxy and a far node up.
func multiplex(t *testing.T) *multiplexed {
	t.Helper()
	nodes := startNodes(t, 2)
	m := &multiplexed{t: t, far: nodes[0], proxy: nodes[1], tap: tapTrunks(t, nodes[0]), service: newRecording(t)}
	served, err := m.far.Gateway().Add(t.Context(), gateway.Rule{
		Kind: gateway.Expose, Target: m.service.Addr().String(), Pipe: "service", Allow: []string{m.proxy.Principal().String()},
	})
	if err != nil {
		t.Fatal(err)
	}
	led, err := m.proxy.Gateway().Add(t.Context(), gateway.Rule{Kind: gateway.Forward, Listen: "127.0.0.1:0", Pipe: served.Pipe.String()})
	if err != nil {
		t.Fatal(err)
	}
	m.entry, m.exposed, m.forwarded = led.Addr, served.Rule.ID, led.Rule.ID
	return m
}

// client connects to the proxy, and has something said and heard again.
func (m *multiplexed) client(text string) net.Conn {
	m.t.Helper()
	c, err := net.Dial("tcp", m.entry)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.WriteString(c, text); err != nil {
		m.t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		m.t.Fatalf("%q comes back, %v", got, err)
	}
	return c
}

// clients are many, each of which has said what is its own, and stays.
func (m *multiplexed) clients(count int) (said []string) {
	m.t.Helper()
	for i := range count {
		said = append(said, fmt.Sprintf("I am client %03d.", i))
		m.client(said[i])
	}
	return said
}

// ids are those of the channels that a node's rule has, sorted.
func (m *multiplexed) ids(n *node.Node, rule string) (ids []string) {
	m.t.Helper()
	all, err := n.Gateway().Channels(rule)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// registered is the leg on which a channel was registered.
type registered struct {
	handle   uint64
	up, down []trunkFrame // of its carrier
}

// register finds the register signal of a channel on the trunk: OPEN, whose
// first 16 bytes are the ID. It must be the first frame of its leg.
func (m *multiplexed) register(id string) registered {
	m.t.Helper()
	const kindOpen = 16
	for _, s := range m.tap.opened() {
		up, down := s.frames()
		begun := map[uint64]bool{0: true}
		for _, f := range up {
			first := !begun[f.handle]
			begun[f.handle] = true
			if f.kind != kindOpen || len(f.payload) < 16 || hex.EncodeToString(f.payload[:16]) != id {
				continue
			}
			if !first {
				m.t.Errorf("channel %s: something was said before its register signal", id)
			}
			return registered{f.handle, up, down}
		}
	}
	m.t.Fatalf("no register signal of channel %s was sent over the trunk", id)
	panic("unreachable")
}
