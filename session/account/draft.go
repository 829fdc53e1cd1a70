package account

import (
	"crypto/rand"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Draft is a new account that nobody has stored yet. Its root key is in the
// recovery file and nowhere else: the file is put where it lasts first, then the
// account is kept.
type Draft struct {
	Account  Account
	Recovery []byte // text, sealed with the passphrase
}

// NewDraft makes an account with a root key of its own, whose first device is
// this one. Errors are those of New and Export.
func NewDraft(act Act, box Box, passphrase string, changes ...Change) (Draft, error) {
	if err := checkPassphrase(passphrase); err != nil {
		return Draft{}, err // before a second's work
	}
	root, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return Draft{}, wire.Errorf(wire.Internal, "root key: %w", err)
	}
	a, err := New(root, act, box, changes...)
	if err != nil {
		return Draft{}, err
	}
	r, err := a.Recovery(root, act.At)
	if err != nil {
		return Draft{}, err
	}
	file, err := r.Export(passphrase)
	if err != nil {
		return Draft{}, err
	}
	return Draft{Account: a, Recovery: file}, nil
}
