package pairing

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/account/cpace"
)

const protocol = "panpipe/link/1"

// ends are the two nodes of an attempt, as their connection has proven them.
type ends struct {
	guest, host peer.ID
}

// input is that of the key exchange. With the peer IDs in it, who stands
// between the two has two runs with different keys.
func (o Offer) input(e ends, session [sessionSize]byte) cpace.Input {
	channel := lv(nil, []byte(protocol))
	channel = lv(channel, o.Mailbox[:])
	channel = lv(channel, identity.PeerPrincipal(e.guest).Bytes())
	channel = lv(channel, identity.PeerPrincipal(e.host).Bytes())
	return cpace.Input{Secret: o.secret, Channel: channel, Session: session[:]}
}

// keys confirm the key exchange, one for each side.
type keys struct {
	guest, host []byte
}

func keysOf(isk [cpace.KeySize]byte) (keys, error) {
	guest, err := hkdf.Key(sha512.New, isk[:], nil, protocol+" guest", proofSize)
	if err != nil {
		return keys{}, err
	}
	host, err := hkdf.Key(sha512.New, isk[:], nil, protocol+" host", proofSize)
	return keys{guest: guest, host: host}, err
}

// claimProof shows that the guest has the key, and that this is its device.
func (k keys) claimProof(m message) [proofSize]byte {
	return mac(k.guest, lv(lv(nil, m.box[:]), []byte(m.name)))
}

// grantProof shows that the host has the key, and that this is its account.
func (k keys) grantProof(m message) [proofSize]byte { return mac(k.host, lv(nil, m.bundle)) }

func mac(key, b []byte) (out [proofSize]byte) {
	h := hmac.New(sha512.New, key)
	h.Write(b)
	copy(out[:], h.Sum(nil))
	return out
}

func same(a, b [proofSize]byte) bool { return hmac.Equal(a[:], b[:]) }

func lv(to, b []byte) []byte { return append(binary.AppendUvarint(to, uint64(len(b))), b...) }
