package identity_test

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// An owner permits another node to dial a pipe; the text goes to that node by
// any way, and whoever meets it later judges it without the owner.
func ExampleCapability() {
	owner, ownerKey := newNode()
	guest, _ := newNode()
	pipeID, now := []byte("a pipe's ID"), time.Now()

	envelope, err := identity.Capability{
		Issuer:  owner,
		Subject: guest,
		Object:  pipeID,
		Right:   identity.RightDial,
		Expiry:  now.Add(time.Hour),
		Nonce:   identity.NewNonce(),
	}.Sign(ownerKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	text := identity.FormatCapability(envelope)

	_, c, err := identity.ParseCapability(text)
	fmt.Println("issued by the owner:", c.Issuer == owner, err)
	fmt.Println("dial:", c.Permit(guest, identity.RightDial, pipeID, now))
	fmt.Println("bind:", c.Permit(guest, identity.RightBind, pipeID, now))
	fmt.Println("too late:", wire.CodeOf(c.Permit(guest, identity.RightDial, pipeID, now.Add(2*time.Hour))))
	_, _, err = identity.ParseCapability(text[:50])
	fmt.Println(err)
	// Output:
	// issued by the owner: true <nil>
	// dial: <nil>
	// bind: capability gives the right to dial, not to bind
	// too late: expired
	// capability is mistyped or cut off: its checksum does not fit
}

// A ticket names an overlay and nodes to join it through.
func ExampleParseTicket() {
	t, err := identity.ParseTicket("ticket:aedxayloobuxazicgiyqjqaaaiaqmd5buubsmabebaareiekrdr525aj6gk72uw3fu6luxlszjtqtpy5sqjbx43uraa3id3plqxooal5")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Overlay)
	for _, p := range t.Peers {
		fmt.Println(p.ID, p.Addrs)
	}
	// Output:
	// panpipe
	// 12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5 [/ip4/192.0.2.1/tcp/4001]
}

func newNode() (identity.Principal, crypto.PrivKey) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		panic(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return identity.PeerPrincipal(id), key
}

// The root key makes an account and is put away; devices add and revoke each
// other. Whoever keeps the log takes what is newer, and of two that contradict
// each other one, whichever he heard of first.
func ExampleDeviceLog() {
	root, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	laptop, laptopKey := newDevice()
	phone, phoneKey := newDevice()

	l, err := identity.NewLog(root, laptop, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	known, err := l.Append(laptopKey, identity.Entry{Op: identity.OpAdd, Device: phone})
	if err != nil {
		fmt.Println(err)
		return
	}

	// The phone is stolen; the thief would rather be alone.
	thief, err := known.Append(phoneKey, identity.Entry{Op: identity.OpRevoke, Device: identity.Device{ID: laptop.ID}})
	if err != nil {
		fmt.Println(err)
		return
	}
	owner, err := known.Append(laptopKey, identity.Entry{Op: identity.OpRevoke, Device: identity.Device{ID: phone.ID}})
	if err != nil {
		fmt.Println(err)
		return
	}

	kept, outcome := identity.Judge(known, thief)
	fmt.Println(outcome, kept.Valid(laptop.ID), kept.Valid(phone.ID))
	kept, outcome = identity.Judge(kept, owner)
	fmt.Println(outcome, kept.Valid(laptop.ID), kept.Valid(phone.ID))
	// Output:
	// extends false true
	// beats true false
}

func newDevice() (identity.Device, crypto.PrivKey) {
	node, key := newNode()
	id, _ := node.Peer()
	d := identity.Device{ID: id}
	rand.Read(d.Box[:]) // really the public half of an X25519 key
	return d, key
}
