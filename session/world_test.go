package session

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/replica"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// principal is made up, of a name.
func principal(t testing.TB, kind identity.Kind, name string) identity.Principal {
	t.Helper()
	sum, err := multihash.Sum([]byte(name), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	b := identity.PeerPrincipal(peer.ID(sum)).Bytes()
	b[0] = byte(kind)
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// person is an account and its devices.
type person struct {
	account identity.Principal
	devices []identity.Principal
}

func newPerson(t testing.TB, name string, devices int) *person {
	p := &person{account: principal(t, identity.KindAccount, name)}
	for i := range devices {
		p.devices = append(p.devices, principal(t, identity.KindPeer, fmt.Sprint(name, i)))
	}
	return p
}

func (p *person) has(d identity.Principal) bool { return slices.Contains(p.devices, d) }

// node is one device with a journal, and what its observer was told.
type node struct {
	*Conversations
	who     *person
	device  identity.Principal
	journal *store.Journal

	mu     sync.Mutex
	added  []replica.Entry
	held   map[replica.Key]uint64 // the highest counter that some far device holds
	stops  []error
	change chan struct{} // closed when something is told
}

func newNode(t testing.TB, who *person, device int, path string) *node {
	t.Helper()
	return newSmallNode(t, who, device, path, 0)
}

// newSmallNode has room for so many bytes in each conversation.
func newSmallNode(t testing.TB, who *person, device int, path string, room int64) *node {
	t.Helper()
	n := &node{who: who, device: who.devices[device], held: map[replica.Key]uint64{}, change: make(chan struct{})}
	j, err := store.OpenJournal(ctx, store.JournalConfig{Path: path, Self: n.device, Now: time.Now, ConversationBytes: room})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	n.journal = j
	n.Conversations = New(Config{Device: n.device, Account: who.account, Journal: j, Observer: n, Now: time.Now})
	return n
}

func (n *node) told(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.change)
	n.change = make(chan struct{})
}

func (n *node) Added(entries []replica.Entry) {
	n.told(func() {
		for _, e := range entries {
			e.Body = slices.Clone(e.Body)
			n.added = append(n.added, e)
		}
	})
}

func (n *node) Held(_ identity.Principal, key replica.Key, run replica.Run) {
	n.told(func() { n.held[key] = max(n.held[key], run.High) })
}

func (n *node) Stopped(_ identity.Principal, _ replica.Key, why error) {
	n.told(func() { n.stops = append(n.stops, why) })
}

// until waits until ok, which is asked whenever something was told.
func (n *node) until(ok func() bool) {
	for {
		n.mu.Lock()
		done, change := ok(), n.change
		n.mu.Unlock()
		if done {
			return
		}
		<-change
	}
}

// texts is what the node has been told of, in the order of arrival.
func (n *node) texts() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.added {
		all = append(all, string(e.Body))
	}
	return all
}

func (n *node) say(t testing.TB, to *person, texts ...string) {
	t.Helper()
	var drafts []replica.Draft
	for _, s := range texts {
		drafts = append(drafts, replica.Draft{Kind: replica.Text, Body: []byte(s)})
	}
	if _, err := n.Write(ctx, to.account, drafts...); err != nil {
		t.Fatal(err)
	}
}

func (n *node) sees(far *node) Far {
	return Far{
		Device: far.device, Account: far.who.account, Ours: n.who.has, Theirs: far.who.has,
		LogShown: func([]byte) error { return nil },
	}
}

// meeting is a session between two nodes.
type meeting struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	errs   [2]error
}

func (m *meeting) end() {
	m.cancel()
	m.done.Wait()
}

// meet runs a session over two ends of a connection.
func meet(a, b *node, x, y net.Conn) *meeting {
	ctx, cancel := context.WithCancel(ctx)
	m := &meeting{cancel: cancel}
	m.done.Go(func() { m.errs[0] = a.Run(ctx, x, a.sees(b)) })
	m.done.Go(func() { m.errs[1] = b.Run(ctx, y, b.sees(a)) })
	return m
}

// pipe meets over a connection in memory.
func pipe(a, b *node) *meeting {
	x, y := net.Pipe()
	return meet(a, b, x, y)
}

// sockets are two ends of a TCP connection on loopback.
func sockets(t testing.TB) (x, y net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if x, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if y, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return x, y
}
