package identity

import (
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Field numbers of an entry's body.
const (
	devAccount    = 1
	devOp         = 2
	devPrev       = 3
	devDevice     = 4
	devBox        = 5
	devDevices    = 6
	devEpoch      = 7
	devGeneration = 8
	devCommitment = 9
	devTime       = 10
)

// Field numbers of a device in a list, and of a log.
const (
	itemDevice = 1
	itemBox    = 2
	logEntries = 1
)

// maxListed caps a device in a list, maxEntries the entries of a log: neither
// is met before MaxDeviceLog is.
const (
	maxListed  = MaxPrincipal + len(BoxKey{}) + 4
	maxEntries = 256
)

// body returns the canonical bytes of an entry that follows prev.
func (e Entry) body(account Principal, prev Hash) []byte {
	var b wire.Builder
	return b.
		Bytes(devAccount, account.Bytes()).
		Uint(devOp, uint64(e.Op)).
		Bytes(devPrev, unlessZero(prev)).
		Bytes(devDevice, PeerPrincipal(e.Device.ID).Bytes()).
		Bytes(devBox, unlessZero(e.Device.Box)).
		List(devDevices, listed(e.Devices)).
		Uint(devEpoch, e.Epoch).
		Uint(devGeneration, e.Generation).
		Bytes(devCommitment, unlessZero(e.Commitment)).
		Uint(devTime, millis(e.At)).
		Build()
}

// parseEntry reads what body made, and checks what needs no other entry.
func parseEntry(body []byte) (e Entry, account Principal, prev Hash, err error) {
	f, err := wire.ParseFields(body)
	if err != nil {
		return Entry{}, Principal{}, Hash{}, err
	}
	account = principalField(f, devAccount)
	e.Op = opField(f, devOp)
	prev = Hash(keyField(f, devPrev))
	e.Device = deviceField(f, devDevice, devBox)
	for _, item := range f.List(devDevices, MaxDevices, maxListed) {
		e.Devices = append(e.Devices, listedDevice(f, item))
	}
	e.Epoch = f.Uint(devEpoch, 1<<64-1)
	e.Generation = f.Uint(devGeneration, 1<<64-1)
	e.Commitment = Hash(keyField(f, devCommitment))
	e.At = timeField(f, devTime)
	if err := f.Done(); err != nil {
		return Entry{}, Principal{}, Hash{}, err
	}
	if account.Kind() != KindAccount {
		return Entry{}, Principal{}, Hash{}, wire.Errorf(wire.BadRequest, "no account")
	}
	if err := e.check(account); err != nil {
		return Entry{}, Principal{}, Hash{}, err
	}
	return e, account, prev, nil
}

// entryHash names an entry by its body and its signer: one body signed by two
// devices is two entries, which may weigh differently. A signature is no part
// of it, since some schemes have several for one body.
func entryHash(body []byte, signer crypto.PubKey) (Hash, error) {
	key, err := crypto.MarshalPublicKey(signer)
	if err != nil {
		return Hash{}, wire.Errorf(wire.Internal, "public key of the signer: %w", err)
	}
	return sha256.Sum256(signedBytes(DomainDeviceLog, envelopeBytes(body, key, nil))), nil
}

func listed(devices []Device) [][]byte {
	var items [][]byte
	for _, d := range devices {
		var b wire.Builder
		items = append(items, b.Bytes(itemDevice, PeerPrincipal(d.ID).Bytes()).Bytes(itemBox, unlessZero(d.Box)).Build())
	}
	return items
}

func listedDevice(f *wire.Fields, item []byte) Device {
	g, err := wire.ParseFields(item)
	if err != nil {
		f.Fail(err)
		return Device{}
	}
	d := deviceField(g, itemDevice, itemBox)
	if err := g.Done(); err != nil {
		f.Fail(err)
	}
	return d
}

func deviceField(f *wire.Fields, id, box uint64) Device {
	p := principalField(f, id)
	if p.Kind() == KindAccount {
		f.Fail(wire.Errorf(wire.BadRequest, "an account is no device"))
	}
	return Device{ID: p.id, Box: keyField(f, box)}
}

// keyField reads 32 bytes, zeros when the field is absent; zeros are not sent.
func keyField(f *wire.Fields, num uint64) [32]byte {
	b := f.Bytes(num, 32)
	if b == nil {
		return [32]byte{}
	}
	if len(b) != 32 || [32]byte(b) == [32]byte{} {
		f.Fail(wire.Errorf(wire.BadRequest, "field %d: expected 32 bytes that are not all zero", num))
		return [32]byte{}
	}
	return [32]byte(b)
}

func opField(f *wire.Fields, num uint64) Op {
	n := f.Uint(num, 1<<8-1)
	if n > uint64(OpRotate) {
		f.Fail(wire.Errorf(wire.Unsupported, "operation %d is unknown to this version", n))
	}
	return Op(n)
}

func unlessZero[T ~[32]byte](v T) []byte {
	if v == (T{}) {
		return nil
	}
	b := [32]byte(v)
	return b[:]
}
