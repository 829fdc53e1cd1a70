package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// testKey returns the Ed25519 key whose seed is n repeated: the same in every
// run, for vectors and fuzz seeds.
func testKey(t testing.TB, n byte) crypto.PrivKey {
	t.Helper()
	raw := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	key, err := crypto.UnmarshalEd25519PrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testPeer(t testing.TB, n byte) Principal {
	t.Helper()
	id, err := peer.IDFromPrivateKey(testKey(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return PeerPrincipal(id)
}

func testAccount(t testing.TB, n byte) Principal {
	t.Helper()
	p, err := AccountPrincipal(testKey(t, n).GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// everyKey returns one key of each kind that libp2p knows.
func everyKey(t testing.TB) map[string]crypto.PrivKey {
	t.Helper()
	keys := make(map[string]crypto.PrivKey)
	for name, typ := range map[string]int{
		"ed25519": crypto.Ed25519, "secp256k1": crypto.Secp256k1, "ecdsa": crypto.ECDSA, "rsa": crypto.RSA,
	} {
		key, _, err := crypto.GenerateKeyPairWithReader(typ, 2048, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	return keys
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func testCapability(t testing.TB) Capability {
	t.Helper()
	return Capability{
		Issuer:    testPeer(t, 1),
		Subject:   testPeer(t, 2),
		Object:    []byte("object"),
		Right:     RightBind,
		Term:      3,
		NotBefore: testTime,
		Expiry:    testTime.Add(time.Hour),
		Nonce:     Nonce{1, 2, 3},
	}
}

func sign(t testing.TB, c Capability, key crypto.PrivKey) []byte {
	t.Helper()
	envelope, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func testTicket(t testing.TB) Ticket {
	t.Helper()
	a, _ := testPeer(t, 1).Peer()
	b, _ := testPeer(t, 2).Peer()
	return Ticket{Overlay: "panpipe", Peers: []peer.AddrInfo{
		{ID: a, Addrs: []ma.Multiaddr{
			ma.StringCast("/ip4/192.0.2.1/tcp/4001"),
			ma.StringCast("/ip6/2001:db8::1/udp/4001/quic-v1"),
		}},
		{ID: b, Addrs: []ma.Multiaddr{ma.StringCast("/dns4/example.org/tcp/443/tls/ws")}},
	}}
}

func wantCode(t *testing.T, what string, err error, want wire.Code) {
	t.Helper()
	if got := wire.CodeOf(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, err, got, want)
	}
}
