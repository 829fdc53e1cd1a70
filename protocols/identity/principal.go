package identity

import (
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Kind says whose key a principal is. Its number is the first byte of a
// principal's binary form.
type Kind uint8

// The kinds of principals.
const (
	KindPeer    Kind = 1 // a node: "peer:"
	KindAccount Kind = 2 // a person's root key: "acct:"
)

// MaxPrincipal caps a principal's binary form: a kind byte and the longest
// multihash that libp2p makes of a public key, rounded up.
const MaxPrincipal = 64

// String returns the prefix of the kind's text form without the colon, or
// "none" for anything that is not a kind.
func (k Kind) String() string {
	switch k {
	case KindPeer:
		return "peer"
	case KindAccount:
		return "acct"
	}
	return "none"
}

// Principal is a public key that can hold rights: a node or an account. It is
// comparable, and the zero Principal is nobody.
type Principal struct {
	kind Kind
	id   peer.ID
}

// PeerPrincipal returns the principal of a node. An empty id gives nobody.
func PeerPrincipal(id peer.ID) Principal {
	if id == "" {
		return Principal{}
	}
	return Principal{kind: KindPeer, id: id}
}

// AccountPrincipal returns the principal of the account with this root key.
// Its error is BadRequest, for a key that libp2p cannot encode.
func AccountPrincipal(root crypto.PubKey) (Principal, error) {
	if root == nil {
		return Principal{}, wire.Errorf(wire.BadRequest, "account: no root key")
	}
	id, err := peer.IDFromPublicKey(root)
	if err != nil {
		return Principal{}, wire.Errorf(wire.BadRequest, "account: root key: %w", err)
	}
	return Principal{kind: KindAccount, id: id}, nil
}

// ParsePrincipal reads "peer:ID", "acct:ID" or a bare libp2p peer ID, which is
// taken for a node. Space around the text is ignored. Errors are BadRequest.
func ParsePrincipal(s string) (Principal, error) {
	s = strings.TrimSpace(s)
	kind, text := KindPeer, s
	if prefix, rest, ok := strings.Cut(s, ":"); ok {
		switch prefix {
		case KindPeer.String():
			text = rest
		case KindAccount.String():
			kind, text = KindAccount, rest
		default:
			return Principal{}, wire.Errorf(wire.BadRequest,
				`not a principal: expected "peer:…", "acct:…" or a bare peer ID, this begins with %s`, quote(prefix+":"))
		}
	}
	if len(text) > maxPrincipalText {
		return Principal{}, wire.Errorf(wire.BadRequest, "not a principal: %d characters, at most %d", len(text), maxPrincipalText)
	}
	if text == "" {
		return Principal{}, wire.Errorf(wire.BadRequest, `not a principal: expected "peer:…", "acct:…" or a bare peer ID, got %s`, quote(s))
	}
	id, err := peer.Decode(text)
	if err == nil {
		err = checkID(id)
	}
	if err != nil {
		return Principal{}, wire.Errorf(wire.BadRequest, "principal %s is mistyped or cut off: it is no peer ID (12D3KooW…), nor one behind peer: or acct:", quote(s)).
			WithNext("copy the whole ID again: panpipe id prints it on the node that is meant")
	}
	return Principal{kind: kind, id: id}, nil
}

// PrincipalFromBytes reads what Bytes made. Errors are BadRequest.
func PrincipalFromBytes(b []byte) (Principal, error) {
	if len(b) < 2 || len(b) > MaxPrincipal {
		return Principal{}, wire.Errorf(wire.BadRequest, "principal of %d bytes, expected 2 to %d", len(b), MaxPrincipal)
	}
	kind := Kind(b[0])
	if kind != KindPeer && kind != KindAccount {
		return Principal{}, wire.Errorf(wire.BadRequest, "principal of unknown kind %d", b[0])
	}
	id, err := peer.IDFromBytes(b[1:])
	if err == nil {
		err = checkID(id)
	}
	if err != nil {
		return Principal{}, wire.Errorf(wire.BadRequest, "principal: %w", err)
	}
	return Principal{kind: kind, id: id}, nil
}

// Bytes returns the binary form: kind byte ‖ multihash of the key (the bytes
// of its peer ID). It is nil for nobody.
func (p Principal) Bytes() []byte {
	if p.IsZero() {
		return nil
	}
	return append([]byte{byte(p.kind)}, p.id...)
}

// String returns the text form, "peer:12D3Koo…" or "acct:12D3Koo…", and "" for
// nobody.
func (p Principal) String() string {
	if p.IsZero() {
		return ""
	}
	return p.kind.String() + ":" + p.id.String()
}

// IsZero reports whether p is nobody.
func (p Principal) IsZero() bool { return p == Principal{} }

// Kind says whose key p is, 0 for nobody.
func (p Principal) Kind() Kind { return p.kind }

// Peer returns the node's peer ID, and false for an account or nobody.
func (p Principal) Peer() (peer.ID, bool) {
	if p.kind != KindPeer {
		return "", false
	}
	return p.id, true
}

// Matches reports whether key is p's own key: a node's, or an account's root.
func (p Principal) Matches(key crypto.PubKey) bool {
	return !p.IsZero() && key != nil && p.id.MatchesPublicKey(key)
}

// MarshalText is String.
func (p Principal) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is ParsePrincipal, and an empty text is nobody.
func (p *Principal) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Principal{}
		return nil
	}
	q, err := ParsePrincipal(string(text))
	if err != nil {
		return err
	}
	*p = q
	return nil
}

// maxPrincipalText caps a text before it is decoded: base58 takes quadratic
// time, and the longest principal has about 80 characters.
const maxPrincipalText = 128

// checkID accepts what libp2p makes of a public key and nothing else: the
// SHA-256 of a long key, or a short key itself in its one encoding. A second
// spelling of a key would be a principal that no signer ever matches.
func checkID(id peer.ID) error {
	hash, err := multihash.Decode([]byte(id))
	if err != nil {
		return err
	}
	switch hash.Code {
	case multihash.SHA2_256:
		if hash.Length != 32 {
			return wire.Errorf(wire.BadRequest, "peer ID: SHA-256 of %d bytes", hash.Length)
		}
		return nil
	case multihash.IDENTITY:
		key, err := id.ExtractPublicKey()
		if err != nil {
			return err
		}
		if !id.MatchesPublicKey(key) {
			return wire.Errorf(wire.BadRequest, "peer ID: key is not in its usual encoding")
		}
		return nil
	}
	return wire.Errorf(wire.BadRequest, "peer ID: hash function %#x, expected SHA-256 or a key itself", hash.Code)
}
