package pipe

import (
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// speaker is a device that speaks for an account, and the verified log that
// says so. It is zero where no account has a part.
type speaker struct {
	device peer.ID
	log    *identity.DeviceLog
}

// openSpeaker reads the proof of a record that signer has signed for account.
func openSpeaker(proof []byte, account identity.Principal, signer crypto.PubKey, read identity.LogReader) (speaker, error) {
	log, device, err := read.OpenProof(proof, account, signer)
	return speaker{device, log}, err
}

// speakerOf is who has issued a verified capability.
func speakerOf(c identity.Capability) speaker { return speaker{c.Device, c.Log} }

// account is who is spoken for, nobody if the speaker is zero.
func (s speaker) account() identity.Principal {
	if s.log == nil {
		return identity.Principal{}
	}
	return s.log.Account()
}

// silencedBy reports that the speaker does not speak for its account by a log
// of it that is known to be right.
func (s speaker) silencedBy(known *identity.DeviceLog) bool {
	return s.log != nil && known != nil && !known.Valid(s.device)
}
