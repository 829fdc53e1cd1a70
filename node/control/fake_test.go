package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fakeNode is a node without a network: a dial of a pipe reaches the listener
// on the same node.
type fakeNode struct {
	id     peer.ID
	key    crypto.PrivKey
	states chan discovery.State

	mu        sync.Mutex
	notReady  error
	refusal   error // what a dialled connection comes to
	kept      []pipe.Pipe
	listeners map[pipe.ID]*fakeListener
	grants    []pipe.GrantRecord
	revoked   []string
	dialled   []pipe.DialOptions
	resolved  []pipe.ResolveOptions
	bound     chan pipe.ID // each bind, for tests that wait for one
}

func newFakeNode(t testing.TB) *fakeNode {
	t.Helper()
	priv, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeNode{id: id, key: priv, states: make(chan discovery.State, 8), listeners: map[pipe.ID]*fakeListener{}, bound: make(chan pipe.ID, 64)}
}

func (n *fakeNode) ID() peer.ID                   { return n.id }
func (n *fakeNode) Principal() identity.Principal { return identity.PeerPrincipal(n.id) }
func (n *fakeNode) Overlay() string               { return "panpipe" }
func (n *fakeNode) Addrs() []ma.Multiaddr {
	return []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/4001")}
}
func (n *fakeNode) Relisten(addrs []string) (had []ma.Multiaddr, err error) {
	for _, a := range addrs {
		had = append(had, ma.StringCast(a))
	}
	return had, nil
}
func (n *fakeNode) Ticket() identity.Ticket {
	return identity.Ticket{Overlay: "panpipe", Peers: []peer.AddrInfo{{ID: n.id, Addrs: n.Addrs()}}}
}
func (n *fakeNode) Ready(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notReady
}
func (n *fakeNode) State() discovery.State {
	return discovery.State{Role: discovery.RoleServer, Reachability: discovery.ReachLocal, JoinErrors: map[string]error{"/ip4/192.0.2.1": wire.Unreachable}}
}
func (n *fakeNode) Subscribe() (<-chan discovery.State, func()) { return n.states, func() {} }

func (n *fakeNode) Create(_ context.Context, name string, o pipe.CreateOptions) (pipe.Pipe, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.ContainsFunc(n.kept, func(k pipe.Pipe) bool { return k.Name == name }) {
		return pipe.Pipe{}, wire.Errorf(wire.Taken, "there is a pipe %q already", name).WithNext("choose another name")
	}
	a := pipe.Advertisement{Type: pipe.TypeUnicast, Name: o.PublicName, Owner: n.Principal(), Binders: pipe.Exclusive, DialPolicy: pipe.DialOpen, Reliable: true, Transports: o.Transports}
	k := pipe.Pipe{ID: pipe.IDOf([]byte(name)), Name: name, Advertisement: a, Created: time.Now()}
	n.kept = append(n.kept, k)
	return k, nil
}

func (n *fakeNode) Pipes(context.Context) ([]pipe.Pipe, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.kept), nil
}

func (n *fakeNode) Lookup(_ context.Context, ref string) (pipe.ID, *pipe.Advertisement, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range n.kept {
		if k.Name == ref || k.ID.String() == ref || k.ID.URI() == ref {
			return k.ID, &k.Advertisement, nil
		}
	}
	if id, err := pipe.ParseID(ref); err == nil {
		return id, nil, nil
	}
	return pipe.ID{}, nil, wire.Errorf(wire.Unknown, "there is no pipe %q here", ref).WithNext("see panpipe pipe ls")
}

func (n *fakeNode) Remove(_ context.Context, ref string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept = slices.DeleteFunc(n.kept, func(k pipe.Pipe) bool { return k.Name == ref })
	return nil
}

func (n *fakeNode) Resolve(_ context.Context, id pipe.ID, o pipe.ResolveOptions) (*pipe.Resolution, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.resolved = append(n.resolved, o)
	if n.listeners[id] == nil {
		return nil, wire.Errorf(wire.Unbound, "nobody serves %s", id).WithNext("wait for a binder with --wait 30s")
	}
	b := pipe.Binding{Pipe: id, Binder: n.Principal(), Seq: 7, Term: 1, Issued: time.Now(), Life: time.Minute, Endpoints: n.Addrs()}
	return &pipe.Resolution{
		Pipe: id, Advertisement: n.kept[0].Advertisement, Asked: 3, Took: 5 * time.Millisecond,
		Bindings: []pipe.Found{{Binding: b, Envelope: []byte{1}, From: n.id, Origin: pipe.OriginHeld, Age: time.Second}},
	}, nil
}

func (n *fakeNode) Grant(_ context.Context, id pipe.ID, o pipe.GrantOptions) (string, identity.Capability, error) {
	c := identity.Capability{Issuer: n.Principal(), Subject: o.To, Object: id.Bytes(), Right: o.Right, Term: o.Term, Expiry: time.Now().Add(o.For), Nonce: identity.NewNonce()}
	envelope := sha256.Sum256([]byte(o.To.String()))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.grants = append(n.grants, pipe.GrantRecord{Pipe: id, Nonce: c.Nonce, Subject: o.To, Right: o.Right, Expiry: c.Expiry, Capability: envelope[:]})
	return identity.FormatCapability(envelope[:]), c, nil
}

func (n *fakeNode) Grants(_ context.Context, id pipe.ID) ([]pipe.GrantRecord, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.grants), nil
}

func (n *fakeNode) Revoke(_ context.Context, capability string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.revoked = append(n.revoked, capability)
	return nil
}

func (n *fakeNode) Explain(_ context.Context, id pipe.ID, o pipe.DialOptions) pipe.Explanation {
	return pipe.Explanation{
		Pipe: id.String(), Found: true, Code: "unreachable", Error: "no path", Suggestion: "look at the dials", Asked: 2, Took: time.Second,
		Records: []pipe.ExplainedRecord{{Binder: n.id.String(), From: n.id.String(), Origin: "held", Endpoints: []string{"/ip4/127.0.0.1/tcp/1"}}},
		Dials:   []pipe.ExplainedAttempt{{Binder: n.id.String(), Endpoint: "/ip4/127.0.0.1/tcp/1", Transport: "tcp", Error: "refused"}},
	}
}

func (n *fakeNode) Listeners() []*pipe.Listener { return nil }

func (n *fakeNode) Examine(context.Context) []doctor.Finding {
	return []doctor.Finding{
		{Code: doctor.Clock, Severity: doctor.Problem, Summary: "the clock is wrong", Cause: "nobody set it", Next: "set it"},
		{Code: doctor.Proxy, Severity: doctor.OK, Summary: "no proxy"},
	}
}

func (n *fakeNode) Standing() doctor.Standing {
	return doctor.Standing{
		Relays: []string{"relay"}, Circuits: 2,
		NAT: doctor.NAT{Router: true, Mapped: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:4001")}, Public: []netip.Addr{netip.MustParseAddr("198.51.100.7")}, Double: true},
	}
}

func (n *fakeNode) ExplainPeer(_ context.Context, id peer.ID, transport reach.Transport, directOnly bool) (doctor.PeerFacts, doctor.PeerVerdict) {
	f := doctor.PeerFacts{
		ID: id.String(), Self: id == n.id, Identified: true, Asked: 3, Took: time.Second,
		Addrs: []doctor.KnownAddr{{Addr: "/ip4/127.0.0.1/tcp/1", Kind: doctor.AddrLoopback, Sources: []string{"overlay"}}},
		Paths: []doctor.Path{{Addr: "/p2p-circuit", Transport: "relay", Fault: "silent", Circuit: &doctor.Circuit{Relay: "r", MaxTime: time.Hour, LeftTime: time.Minute, MaxData: 9, LeftData: 0}}},
		Tries: []doctor.Try{{Addr: "/ip4/127.0.0.1/tcp/1", Transport: string(transport), Code: "unreachable", Error: "refused"}},
	}
	v := doctor.PeerVerdict{Summary: "not reached", Problem: "unreachable", Detail: "no path", Next: "start it", Here: n.Examine(context.Background())}
	if f.Self {
		v = doctor.PeerVerdict{Summary: "itself", Connected: true, Direct: true, Next: "nothing"}
	}
	if directOnly {
		v.Detail = "no direct path"
	}
	return f, v
}

func (n *fakeNode) ListenPipe(ctx context.Context, ref string, o pipe.ListenOptions) (net.Listener, error) {
	id, _, err := n.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[id] != nil {
		return nil, wire.Errorf(wire.Taken, "the pipe is served already")
	}
	l := &fakeListener{node: n, id: id, backlog: make(chan net.Conn, 64), closed: make(chan struct{}), replaced: make(chan struct{})}
	n.listeners[id] = l
	n.bound <- id
	return l, nil
}

func (n *fakeNode) listener(id pipe.ID) *fakeListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listeners[id]
}

func (n *fakeNode) DialPipe(ctx context.Context, ref string, o pipe.DialOptions) (net.Conn, error) {
	id, _, err := n.Lookup(ctx, ref)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.dialled = append(n.dialled, o)
	n.mu.Unlock()
	l := n.listener(id)
	if l == nil {
		return nil, wire.Errorf(wire.Unbound, "nobody serves %s", id).WithNext("wait for a binder with --wait 30s")
	}
	near, distant, err := connPair(n, id)
	if err != nil {
		return nil, err
	}
	l.backlog <- distant
	return near, nil
}

type fakeListener struct {
	node     *fakeNode
	id       pipe.ID
	backlog  chan net.Conn
	once     sync.Once
	closed   chan struct{}
	replaced chan struct{}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error {
	l.once.Do(func() {
		l.node.mu.Lock()
		delete(l.node.listeners, l.id)
		l.node.mu.Unlock()
		close(l.closed)
	})
	return nil
}

func (l *fakeListener) Addr() net.Addr            { return pipe.Addr{Pipe: l.id} }
func (l *fakeListener) Replaced() <-chan struct{} { return l.replaced }

// fakeConn is one end of a TCP connection, dressed as one of a pipe.
type fakeConn struct {
	*net.TCPConn
	node *fakeNode
	id   pipe.ID
}

func (c fakeConn) Opened(context.Context) error { return c.node.refusal }

func (c fakeConn) Reset() {
	c.SetLinger(0)
	c.Close()
}
func (c fakeConn) Pipe() pipe.ID                       { return c.id }
func (c fakeConn) RemotePrincipal() identity.Principal { return c.node.Principal() }
func (c fakeConn) Transport() reach.Transport          { return reach.TCP }
func (c fakeConn) Direct() bool                        { return true }
func (c fakeConn) RemoteEndpoint() ma.Multiaddr        { return c.node.Addrs()[0] }
func (c fakeConn) Link() link.ID                       { return link.ID{} }
func (c fakeConn) Legs() ([]link.Leg, int)             { return nil, 0 }
func (c fakeConn) Waiting() time.Time                  { return time.Time{} }

func connPair(n *fakeNode, id pipe.ID) (near, distant net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	b, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	return fakeConn{a.(*net.TCPConn), n, id}, fakeConn{b.(*net.TCPConn), n, id}, nil
}

// serve starts a server over a fake node, and a client of it.
func serve(t testing.TB, change ...func(*Config)) (*fakeNode, *Server, *client.Client) {
	t.Helper()
	n := newFakeNode(t)
	cfg := Config{Socket: filepath.Join(t.TempDir(), "api.sock"), Node: n, Pipes: n, Discovery: n, Doctor: n, Gateway: newFakeGateway(n.id), Accounts: newFakeAccounts(t, n.key), Version: "v1.2.3",
		Limits: func() []api.Limit {
			return []api.Limit{{Name: "connections", Value: 100, Unit: "connections", Setting: "max_connections"}}
		},
		Settings: []api.Setting{
			{Key: "overlay", Value: "panpipe", Text: "panpipe", Origin: "default"},
			{Key: "mdns", Value: true, Text: "true", Origin: "default"},
			{Key: "relay.max_data", Value: int64(1 << 30), Text: "1GiB", Origin: "flag"},
			{Key: "join", Value: []string{"a"}, Text: "a", Origin: "flag"},
			{Key: "log.levels", Value: map[string]string{"pipe": "debug"}, Text: "pipe=debug", Origin: "flag"},
		}}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, s, client.New(client.Config{Socket: cfg.Socket})
}

// socketOf is the path of a server's Unix socket.
func socketOf(s *Server) string {
	for _, a := range s.Addrs() {
		if a.Network() == "unix" {
			return a.String()
		}
	}
	return ""
}

func createPipe(t testing.TB, c *client.Client, name string) api.Pipe {
	t.Helper()
	p, err := c.CreatePipe(t.Context(), api.CreateRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantCode fails unless err is of the given code and says what to do next.
func wantCode(t testing.TB, err error, code wire.Code, says string) {
	t.Helper()
	if wire.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Fatalf("got %v (%v), want %v with %q", err, wire.CodeOf(err), code, says)
	}
}
