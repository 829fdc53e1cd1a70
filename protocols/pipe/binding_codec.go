package pipe

import (
	"bytes"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Bytes returns the canonical bytes that are signed.
func (b Binding) Bytes() []byte {
	endpoints := make([][]byte, 0, len(b.Endpoints))
	for _, a := range b.Endpoints {
		if len(a) > 0 {
			endpoints = append(endpoints, a.Bytes())
		}
	}
	withdrawn := uint64(0)
	if b.Withdrawn {
		withdrawn = 1
	}
	var e wire.Builder
	e.Bytes(1, b.Pipe.Bytes()).Bytes(2, b.Advertisement.Bytes()).Bytes(3, b.Binder.Bytes())
	e.Uint(4, b.Seq).Uint(5, millis(b.Issued)).Uint(6, uint64(max(b.Life, 0)/time.Second))
	e.List(7, endpoints).Bytes(8, b.Capability).Uint(9, b.Term).Bytes(10, b.Proof).Uint(11, withdrawn)
	return e.Build()
}

// ParseBinding reads canonical bytes and checks their format alone: no
// signature and no right. The result does not alias body. Errors are
// BadRequest, TooLarge and Unsupported, as for OpenBinding.
func ParseBinding(body []byte) (Binding, error) {
	b, err := parseBinding(bytes.Clone(body))
	if err != nil {
		return Binding{}, wire.Errorf(wire.CodeOf(err), "binding: %w", err)
	}
	return b, nil
}

func parseBinding(body []byte) (Binding, error) {
	if len(body) > MaxBinding {
		return Binding{}, wire.Errorf(wire.TooLarge, "%d bytes, at most %d", len(body), MaxBinding)
	}
	f, err := wire.ParseFields(body)
	if err != nil {
		return Binding{}, err
	}
	b := Binding{
		Pipe:          idField(f, 1),
		Advertisement: advertisementField(f, 2),
		Binder:        principalField(f, 3),
		Seq:           f.Uint(4, MaxNumber),
		Issued:        timeField(f, 5),
		Life:          time.Duration(f.Uint(6, uint64(MaxLife/time.Second))) * time.Second,
		Endpoints:     endpointList(f, 7),
		Capability:    f.Bytes(8, identity.MaxCapability),
		Term:          f.Uint(9, MaxNumber),
		Proof:         f.Bytes(10, identity.MaxProof),
		Withdrawn:     f.Uint(11, 1) == 1,
	}
	if err := f.Done(); err != nil {
		return Binding{}, err
	}
	if err := b.check(); err != nil {
		return Binding{}, err
	}
	return b, canonical(body, b.Bytes())
}

// check refuses fields that contradict each other.
func (b Binding) check() error {
	switch adv := b.Advertisement; {
	case adv.ID() != b.Pipe:
		return wire.Errorf(wire.BadRequest, "the advertisement is not that of %s", b.Pipe)
	case b.Binder.Kind() != identity.KindPeer:
		return wire.Errorf(wire.BadRequest, "the binder must be a node")
	case b.Seq == 0:
		return wire.Errorf(wire.BadRequest, "seq is needed")
	case b.Life < MinLife:
		return wire.Errorf(wire.BadRequest, "life %s, at least %s", b.Life, MinLife)
	case adv.Binders == Exclusive && b.Term == 0:
		return wire.Errorf(wire.BadRequest, "an exclusive pipe needs a term")
	case b.Withdrawn && len(b.Endpoints) > 0:
		return wire.Errorf(wire.BadRequest, "a tombstone has no endpoints")
	}
	for i, a := range b.Endpoints {
		if err := b.checkEndpoint(i, a); err != nil {
			return err
		}
	}
	return nil
}

func (b Binding) checkEndpoint(i int, a ma.Multiaddr) error {
	if a[len(a)-1].Code() == ma.P_P2P {
		return wire.Errorf(wire.BadRequest, "endpoint %s ends with a peer ID", a)
	}
	if t := reach.TransportOf(a); !b.Advertisement.Allows(t) {
		return wire.Errorf(wire.BadRequest, "endpoint %s: the pipe does not allow transport %q", a, t)
	}
	for _, other := range b.Endpoints[:i] {
		if other.Equal(a) {
			return wire.Errorf(wire.BadRequest, "endpoint %s is there twice", a)
		}
	}
	return nil
}

// advertisementField reads an advertisement, which must be there.
func advertisementField(f *wire.Fields, num uint64) Advertisement {
	a, err := ParseAdvertisement(f.Bytes(num, MaxAdvertisement))
	if err != nil {
		f.Fail(err)
	}
	return a
}

// endpointList reads multiaddrs; none may be empty.
func endpointList(f *wire.Fields, num uint64) []ma.Multiaddr {
	var list []ma.Multiaddr
	for _, it := range f.List(num, MaxEndpoints, MaxEndpoint) {
		a, err := ma.NewMultiaddrBytes(it)
		if err != nil || len(a) == 0 {
			f.Fail(wire.Errorf(wire.BadRequest, "field %d: not a multiaddr", num))
			return nil
		}
		list = append(list, a)
	}
	return list
}
