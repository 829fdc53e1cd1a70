package linking

import (
	"crypto/ed25519"
	"crypto/sha256"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account/pairing"
)

const mailboxDomain = "panpipe/mailbox/1"

// bindTerm is the only term under which a mailbox pipe is bound.
const bindTerm = 1

// mailbox is the pipe on which two devices meet, and the key that owns it.
type mailbox struct {
	key           crypto.PrivKey
	advertisement pipe.Advertisement
}

func mailboxOf(name pairing.Mailbox) (mailbox, error) {
	seed := sha256.Sum256(append([]byte(mailboxDomain), name[:]...))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		return mailbox{}, wire.Errorf(wire.Internal, "mailbox: %w", err)
	}
	owner, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return mailbox{}, wire.Errorf(wire.Internal, "mailbox: %w", err)
	}
	return mailbox{key: key, advertisement: pipe.Advertisement{
		Type: pipe.TypeUnicast, Owner: identity.PeerPrincipal(owner), Binders: pipe.Exclusive, DialPolicy: pipe.DialOpen, Reliable: true,
	}}, nil
}

// bindingBy permits me to bind the mailbox until then.
func (m mailbox) bindingBy(me peer.ID, until time.Time) ([]byte, error) {
	return identity.Capability{
		Issuer: m.advertisement.Owner, Subject: identity.PeerPrincipal(me), Object: m.advertisement.ID().Bytes(),
		Right: identity.RightBind, Term: bindTerm, Expiry: until, Nonce: identity.NewNonce(),
	}.Sign(m.key)
}
