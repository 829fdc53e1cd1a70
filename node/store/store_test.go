package store

import (
	"bytes"
	"context"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestMain(m *testing.M) {
	runChild()
	runJournalChild()
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

func tempPath(t *testing.T) string { return filepath.Join(t.TempDir(), FileName) }

func mustOpen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func somebody(t *testing.T) identity.Principal {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return identity.PeerPrincipal(id)
}

// somePipe is a pipe like no other of the test.
func somePipe(t *testing.T, name string, salt byte) pipe.Pipe {
	t.Helper()
	a := pipe.Advertisement{
		Type: pipe.TypeUnicast, Owner: somebody(t), Binders: pipe.Exclusive, DialPolicy: pipe.DialOpen, Reliable: true,
		Salt: [16]byte{salt},
	}
	return pipe.Pipe{ID: a.ID(), Name: name, Advertisement: a, Created: time.UnixMilli(1_700_000_000_000 + int64(salt))}
}

func TestPipesSurviveReopening(t *testing.T) {
	path := tempPath(t)
	s := mustOpen(t, path)
	a, b, unnamed := somePipe(t, "a", 1), somePipe(t, "b", 2), somePipe(t, "", 3)
	also := somePipe(t, "", 4)
	for _, p := range []pipe.Pipe{b, a, unnamed, also} {
		if err := s.SavePipe(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	all, err := s.Pipes(ctx)
	if err != nil || !reflect.DeepEqual(all, []pipe.Pipe{a, b, unnamed, also}) {
		t.Errorf("pipes %+v, %v", all, err)
	}
	if p, err := s.PipeByName(ctx, "b"); err != nil || !reflect.DeepEqual(p, b) {
		t.Errorf("by name %+v, %v", p, err)
	}
	if p, err := s.PipeByID(ctx, unnamed.ID); err != nil || !reflect.DeepEqual(p, unnamed) {
		t.Errorf("by ID %+v, %v", p, err)
	}
}

func TestNameOfAnotherPipeIsTaken(t *testing.T) {
	s := mustOpen(t, "")
	a, b := somePipe(t, "same", 1), somePipe(t, "same", 2)
	if err := s.SavePipe(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := s.SavePipe(ctx, b); wire.CodeOf(err) != wire.Taken {
		t.Errorf("second: %v", err)
	}
	a.Name = "renamed"
	if err := s.SavePipe(ctx, a); err != nil {
		t.Errorf("rename: %v", err)
	}
	if err := s.SavePipe(ctx, b); err != nil {
		t.Errorf("the name is free again: %v", err)
	}
}

func TestWhatIsNotThereIsUnknown(t *testing.T) {
	s := mustOpen(t, "")
	p := somePipe(t, "x", 1)
	_, byID := s.PipeByID(ctx, p.ID)
	_, byName := s.PipeByName(ctx, "x")
	for _, err := range []error{byID, byName, s.RemovePipe(ctx, p.ID)} {
		if wire.CodeOf(err) != wire.Unknown {
			t.Errorf("error %v", err)
		}
	}
	if st, err := s.State(ctx, p.ID); err != nil || !reflect.DeepEqual(st, pipe.BindState{}) {
		t.Errorf("state %+v, %v", st, err)
	}
}

func TestRemovingAPipeKeepsWhatGuardsItsRecords(t *testing.T) {
	s := mustOpen(t, "")
	p := somePipe(t, "x", 1)
	state := pipe.BindState{Seq: 1<<63 + 7, Term: 1<<64 - 1, Successor: []byte("envelope")}
	grant := pipe.GrantRecord{
		Pipe: p.ID, Nonce: identity.NewNonce(), Subject: somebody(t), Right: identity.RightBind,
		Term: 1 << 63, Expiry: time.UnixMilli(1_800_000_000_000), Capability: []byte("capability"),
	}
	revoked := pipe.RevocationRecord{Pipe: p.ID, Nonce: grant.Nonce, Expiry: grant.Expiry, Envelope: []byte("revocation")}
	for _, err := range []error{
		s.SavePipe(ctx, p), s.SaveState(ctx, p.ID, pipe.BindState{Seq: 1}), s.SaveState(ctx, p.ID, state),
		s.SaveGrant(ctx, grant), s.SaveGrant(ctx, grant), s.SaveRevocation(ctx, revoked), s.SaveRevocation(ctx, revoked),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if g, err := s.Grants(ctx, p.ID); err != nil || !reflect.DeepEqual(g, []pipe.GrantRecord{grant}) {
		t.Errorf("grants %+v, %v", g, err)
	}
	if err := s.RemovePipe(ctx, p.ID); err != nil {
		t.Fatal(err)
	}
	if g, err := s.Grants(ctx, p.ID); err != nil || len(g) != 0 {
		t.Errorf("grants after removal %+v, %v", g, err)
	}
	if st, err := s.State(ctx, p.ID); err != nil || !reflect.DeepEqual(st, state) {
		t.Errorf("state %+v, %v", st, err)
	}
	if r, err := s.Revocations(ctx, revoked.Expiry.Add(-1)); err != nil || !reflect.DeepEqual(r, []pipe.RevocationRecord{revoked}) {
		t.Errorf("revocations %+v, %v", r, err)
	}
	if r, err := s.Revocations(ctx, revoked.Expiry); err != nil || len(r) != 0 {
		t.Errorf("expired revocations %+v, %v", r, err)
	}
}

func TestRememberedPeersAreReplacedInOrder(t *testing.T) {
	s := mustOpen(t, "")
	info := func(addrs ...string) peer.AddrInfo {
		id, _ := somebody(t).Peer()
		p := peer.AddrInfo{ID: id}
		for _, a := range addrs {
			p.Addrs = append(p.Addrs, ma.StringCast(a))
		}
		return p
	}
	many := []peer.AddrInfo{info("/ip4/1.2.3.4/udp/1/quic-v1", "/dns4/example.com/tcp/443/wss"), info()}
	for range discovery.MaxRemembered {
		many = append(many, info("/ip4/1.2.3.4/tcp/1"))
	}
	few := []peer.AddrInfo{many[1], many[0]}
	for _, peers := range [][]peer.AddrInfo{many, few, nil} {
		if err := s.RememberPeers(ctx, peers); err != nil {
			t.Fatal(err)
		}
		got, err := s.RememberedPeers(ctx)
		if want := peers[:min(len(peers), discovery.MaxRemembered)]; err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("got %d peers, want %d: %v", len(got), len(want), err)
		}
	}
}

func TestStoreInMemoryRunsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		p := somePipe(t, "x", 1)
		done := make(chan error)
		for range 4 {
			go func() { done <- s.SavePipe(t.Context(), p) }()
		}
		time.Sleep(time.Hour)
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if all, err := s.Pipes(ctx); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAddressListRefusesEveryTruncatedPrefix(t *testing.T) {
	whole := packAddrs([]ma.Multiaddr{ma.StringCast("/ip4/1.2.3.4/udp/1/quic-v1"), ma.StringCast("/dns4/example.com/tcp/443/wss")})
	first := len(packAddrs([]ma.Multiaddr{ma.StringCast("/ip4/1.2.3.4/udp/1/quic-v1")}))
	for i := 1; i < len(whole); i++ {
		if _, err := unpackAddrs(whole[:i]); err == nil && i != first {
			t.Errorf("prefix of %d bytes parses", i)
		}
	}
}

func FuzzAddressList(f *testing.F) {
	f.Add(packAddrs([]ma.Multiaddr{ma.StringCast("/ip4/1.2.3.4/udp/1/quic-v1"), ma.StringCast("/dns4/example.com/tcp/443/wss")}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		addrs, err := unpackAddrs(b)
		if err != nil {
			return
		}
		again, err := unpackAddrs(packAddrs(addrs))
		if err != nil || len(again) != len(addrs) || !bytes.Equal(packAddrs(again), packAddrs(addrs)) {
			t.Errorf("%v became %v: %v", addrs, again, err)
		}
	})
}
