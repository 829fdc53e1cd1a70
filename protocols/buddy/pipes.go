package buddy

import (
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// MaxSecret caps a presence secret in bytes.
const MaxSecret = 512

// PresencePipe describes the presence pipe that owner and salt make.
func PresencePipe(owner identity.Principal, salt [pipe.SaltSize]byte) pipe.Advertisement {
	return pipe.Advertisement{
		Type: pipe.TypeUnicast, Owner: owner, Binders: pipe.Many, DialPolicy: pipe.DialOpen, Reliable: true, Salt: salt,
	}
}

// ParseSecret reads a presence secret, the canonical bytes of what PresencePipe
// returns. Errors are BadRequest for another pipe's, and those of
// pipe.ParseAdvertisement.
func ParseSecret(secret []byte) (pipe.Advertisement, error) {
	if len(secret) > MaxSecret {
		return pipe.Advertisement{}, wire.Errorf(wire.TooLarge, "presence secret of %d bytes, at most %d", len(secret), MaxSecret)
	}
	a, err := pipe.ParseAdvertisement(secret)
	if err != nil {
		return pipe.Advertisement{}, wire.Errorf(wire.CodeOf(err), "presence secret: %w", err)
	}
	if want := PresencePipe(a.Owner, a.Salt); a.Owner.Kind() != identity.KindPeer || a.ID() != want.ID() {
		return pipe.Advertisement{}, wire.Errorf(wire.BadRequest, "presence secret is not that of a presence pipe")
	}
	return a, nil
}
