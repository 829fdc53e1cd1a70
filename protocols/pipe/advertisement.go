package pipe

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Type says what a pipe does with what is sent into it.
type Type uint8

// The types of pipes. Their numbers are part of the wire format.
const (
	TypeUnicast   Type = 1 // connections between a dialer and one binder: "unicast"
	TypeSecure    Type = 2 // the same, and both sides prove their principal before data: "secure"
	TypePropagate Type = 3 // what is published goes to all binders: "propagate"
)

// Binders says how many nodes may serve a pipe at the same time.
type Binders uint8

// How many binders. Their numbers are part of the wire format.
const (
	Exclusive Binders = 1 // one; a higher term takes the pipe over: "exclusive"
	Many      Binders = 2 // any number, without order: "many"
)

// DialPolicy says who may dial a pipe. Lists live at the binder alone.
type DialPolicy uint8

// The dial policies. Their numbers are part of the wire format.
const (
	DialOpen       DialPolicy = 1 // everybody: "open"
	DialListed     DialPolicy = 2 // whom the binder lists, or who holds a capability: "listed"
	DialCapability DialPolicy = 3 // who holds the owner's capability: "capability"
)

// Advertisement is the immutable description of a pipe. Its canonical bytes
// hash to the pipe's ID, so that it cannot be changed.
type Advertisement struct {
	Type       Type
	Name       string             // public, at most MaxName bytes of UTF-8 without control characters; may be empty
	Owner      identity.Principal // who binds, grants and revokes
	Binders    Binders
	Transports []reach.Transport // allowed ones, sorted and unique; empty allows all
	DialPolicy DialPolicy
	Reliable   bool           // bytes arrive, in order
	Salt       [SaltSize]byte // makes pipes of equal description differ; zero for one that can be derived

	extra []byte // fields of later versions that may be ignored, kept since the ID covers them
}

// ParseAdvertisement reads canonical bytes. Errors are BadRequest, TooLarge
// above MaxAdvertisement, and Unsupported for a field or value of a later version.
func ParseAdvertisement(b []byte) (Advertisement, error) {
	a, err := parseAdvertisement(b)
	if err != nil {
		return Advertisement{}, wire.Errorf(wire.CodeOf(err), "advertisement: %w", err)
	}
	return a, nil
}

func parseAdvertisement(b []byte) (Advertisement, error) {
	if len(b) > MaxAdvertisement {
		return Advertisement{}, wire.Errorf(wire.TooLarge, "%d bytes, at most %d", len(b), MaxAdvertisement)
	}
	f, err := wire.ParseFields(b)
	if err != nil {
		return Advertisement{}, err
	}
	a := Advertisement{
		Type:       Type(f.Uint(1, math.MaxUint8)),
		Name:       f.String(2, MaxName),
		Owner:      principalField(f, 3),
		Binders:    Binders(f.Uint(4, math.MaxUint8)),
		Transports: transportList(f.List(5, MaxTransports, maxTransportName)),
		DialPolicy: DialPolicy(f.Uint(6, math.MaxUint8)),
	}
	reliable := f.Uint(7, math.MaxUint8)
	a.Reliable = reliable == reliableYes
	salt := f.Bytes(8, SaltSize)
	if err := f.Done(); err != nil {
		return Advertisement{}, err
	}
	if reliable == 0 || len(salt) != SaltSize {
		return Advertisement{}, wire.Errorf(wire.BadRequest, "reliable and %d bytes of salt are needed", SaltSize)
	}
	if reliable > reliableNo {
		return Advertisement{}, wire.Errorf(wire.Unsupported, "reliable has the unknown value %d", reliable)
	}
	a.Salt = [SaltSize]byte(salt)
	if err := a.Validate(); err != nil {
		return Advertisement{}, err
	}
	known := a.known()
	if err := canonical(b, known); err != nil {
		return Advertisement{}, err
	}
	// Numbers rise, so that what may be ignored is all at the end.
	a.extra = append([]byte(nil), b[len(known):]...)
	return a, nil
}

// Values of field 7.
const (
	reliableYes = 1
	reliableNo  = 2
)

// Bytes returns the canonical bytes. A description that Validate refuses has
// bytes too, but nobody takes them.
func (a Advertisement) Bytes() []byte { return append(a.known(), a.extra...) }

func (a Advertisement) known() []byte {
	reliable := uint64(reliableNo)
	if a.Reliable {
		reliable = reliableYes
	}
	transports := make([][]byte, 0, len(a.Transports))
	for _, t := range a.Transports {
		if t != reach.Any {
			transports = append(transports, []byte(t))
		}
	}
	var e wire.Builder
	e.Uint(1, uint64(a.Type)).String(2, a.Name).Bytes(3, a.Owner.Bytes()).Uint(4, uint64(a.Binders))
	e.List(5, transports).Uint(6, uint64(a.DialPolicy)).Uint(7, reliable).Bytes(8, a.Salt[:])
	return e.Build()
}

// ID returns the pipe's ID.
func (a Advertisement) ID() ID { return IDOf(a.Bytes()) }

// Validate refuses, as BadRequest, what no advertisement may say, as
// Unsupported what only a later version could mean, and as TooLarge what is
// above a cap.
func (a Advertisement) Validate() error {
	switch {
	case a.Type == 0 || a.Binders == 0 || a.DialPolicy == 0 || a.Owner.IsZero():
		return wire.Errorf(wire.BadRequest, "type, owner, binders and dial policy are all needed")
	case a.Type > TypePropagate:
		return wire.Errorf(wire.Unsupported, "type %d is unknown to this version", a.Type)
	case a.Binders > Many:
		return wire.Errorf(wire.Unsupported, "binders %d is unknown to this version", a.Binders)
	case a.DialPolicy > DialCapability:
		return wire.Errorf(wire.Unsupported, "dial policy %d is unknown to this version", a.DialPolicy)
	case len(a.Name) > MaxName:
		return wire.Errorf(wire.TooLarge, "name of %d bytes, at most %d", len(a.Name), MaxName)
	case !plainText(a.Name):
		return wire.Errorf(wire.BadRequest, "name must be UTF-8 without control characters")
	case len(a.Transports) > MaxTransports:
		return wire.Errorf(wire.TooLarge, "%d transports, at most %d", len(a.Transports), MaxTransports)
	}
	for i, t := range a.Transports {
		if !transportName(t) {
			return wire.Errorf(wire.BadRequest, "transport %q: expected a to z, 0 to 9 and hyphens, at most %d", t, maxTransportName)
		}
		if i > 0 && a.Transports[i-1] >= t {
			return wire.Errorf(wire.BadRequest, "transports must be sorted and each there once")
		}
	}
	if n := len(a.known()) + len(a.extra); n > MaxAdvertisement {
		return wire.Errorf(wire.TooLarge, "%d bytes, at most %d", n, MaxAdvertisement)
	}
	return nil
}

// Allows reports whether the pipe may be served on a transport. Transports that
// this version does not know are allowed where no list says otherwise.
func (a Advertisement) Allows(t reach.Transport) bool {
	return len(a.Transports) == 0 || slices.Contains(a.Transports, t)
}

// transportName takes names of later versions too: a holder need not know a
// transport in order to hold a pipe that uses it.
func transportName(t reach.Transport) bool {
	for _, c := range []byte(t) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(t) > 0 && len(t) <= maxTransportName
}

func transportList(items [][]byte) []reach.Transport {
	var list []reach.Transport
	for _, it := range items {
		list = append(list, reach.Transport(it))
	}
	return list
}

// plainText is safe to print on a terminal.
func plainText(s string) bool {
	for _, r := range s {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) {
			return false
		}
	}
	return utf8.ValidString(s)
}
