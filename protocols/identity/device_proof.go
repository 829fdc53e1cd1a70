package identity

import (
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// LogReader reads device logs as ParseLog does, which is one. Verifying a long
// log takes milliseconds, so whoever is shown the same ones again and again has
// a reader that remembers them.
type LogReader func(log []byte) (*DeviceLog, error)

// OpenProof is LogReader.OpenProof with ParseLog.
func OpenProof(proof []byte, account Principal, signer crypto.PubKey) (*DeviceLog, peer.ID, error) {
	return LogReader(ParseLog).OpenProof(proof, account, signer)
}

// OpenProof verifies the log in the proof field of a record: it is account's,
// and the record's signer is a device valid in it, which is returned. Who knows
// another log of the account judges between the two (Judge), and asks the
// winner whether that device is valid. Errors are those of the reader, and
// BadRequest for the log or signer of another.
func (read LogReader) OpenProof(proof []byte, account Principal, signer crypto.PubKey) (*DeviceLog, peer.ID, error) {
	l, err := read(proof)
	if err != nil {
		return nil, "", err
	}
	if l.account != account {
		return nil, "", wire.Errorf(wire.BadRequest, "device log is of %s, not of %s", l.account, account)
	}
	id, err := peer.IDFromPublicKey(signer)
	if err != nil {
		return nil, "", wire.Errorf(wire.BadRequest, "key of the signer: %w", err)
	}
	if !l.Valid(id) {
		return nil, "", wire.Errorf(wire.BadRequest, "%s is no device of %s by the log it shows", id, account)
	}
	return l, id, nil
}
