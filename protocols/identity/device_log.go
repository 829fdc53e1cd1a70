package identity

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limits of a device log.
const (
	MaxDeviceLog = MaxProof // bytes
	MaxDevices   = 32       // at one time

	// keptForRevokes is what adds and rotations leave free, so that a device can
	// be thrown out of a full log without the root.
	keptForRevokes = 2 << 10
)

// DeviceLog says which devices speak for an account. It is verified and never
// changes (Append returns another), so it may be shared freely.
type DeviceLog struct {
	account    Principal
	entries    []logEntry // a begin, then what devices have signed
	members    []member   // the valid devices, by seniority
	generation uint64
	commitment Hash
	size       int // bytes of all envelopes
}

// logEntry is a verified entry in its place.
type logEntry struct {
	Entry
	prev     Hash
	envelope []byte
	weight   int // in a fork: see weigh
}

// member is a valid device. The lower its rank, the more senior it is: first
// those that the root has named, then those that were added.
type member struct {
	Device
	rank int
}

// ParseLog reads what Bytes made and verifies all of it. Errors are BadRequest
// for what is malformed or forged, TooLarge above a cap, Unsupported for what a
// later version may have written.
func ParseLog(b []byte) (*DeviceLog, error) {
	if len(b) > MaxDeviceLog {
		return nil, wire.Errorf(wire.TooLarge, "device log of %d bytes, at most %d", len(b), MaxDeviceLog)
	}
	f, err := wire.ParseFields(b)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "device log: %w", err)
	}
	l := &DeviceLog{}
	for i, envelope := range f.List(logEntries, maxEntries, MaxDeviceLog) {
		if err := l.add(bytes.Clone(envelope)); err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "device log: entry %d: %w", i+1, err)
		}
	}
	// Nothing but the list may be there: it would not be covered by a signature.
	if len(l.entries) == 0 || !bytes.Equal(l.Bytes(), b) {
		return nil, wire.Errorf(wire.BadRequest, "device log: not a list of entries")
	}
	return l, nil
}

// Account returns whose devices these are.
func (l *DeviceLog) Account() Principal { return l.account }

// Bytes returns the log's canonical form, for ParseLog.
func (l *DeviceLog) Bytes() []byte {
	envelopes := make([][]byte, len(l.entries))
	for i, e := range l.entries {
		envelopes[i] = e.envelope
	}
	var b wire.Builder
	return b.List(logEntries, envelopes).Build()
}

// Head returns the hash of the last entry, which names the whole log.
func (l *DeviceLog) Head() Hash { return l.entries[len(l.entries)-1].Hash }

// Len returns the number of entries.
func (l *DeviceLog) Len() int { return len(l.entries) }

// First returns the log as it was after its first n entries, from 1 to Len: to
// go on from there is to contradict what followed, and Judge tells whether that
// wins. So a device undoes what a thief has done who is junior to it.
func (l *DeviceLog) First(n int) *DeviceLog {
	first := &DeviceLog{account: l.account}
	for _, e := range l.entries[:n] {
		_ = first.apply(e.Entry) // it has fitted here before
		first.entries = append(first.entries, e)
		first.size += len(e.envelope)
	}
	return first
}

// Entries returns all entries, the oldest first.
func (l *DeviceLog) Entries() []Entry {
	out := make([]Entry, len(l.entries))
	for i, e := range l.entries {
		out[i] = e.Entry
		out[i].Devices = slices.Clone(e.Devices)
	}
	return out
}

// Devices returns the valid devices, the most senior first.
func (l *DeviceLog) Devices() []Device {
	out := make([]Device, len(l.members))
	for i, m := range l.members {
		out[i] = m.Device
	}
	return out
}

// Device returns a valid device, and false for any other node.
func (l *DeviceLog) Device(id peer.ID) (Device, bool) {
	i := l.find(id)
	if i < 0 {
		return Device{}, false
	}
	return l.members[i].Device, true
}

// Valid reports whether a node speaks for the account.
func (l *DeviceLog) Valid(id peer.ID) bool { return l.find(id) >= 0 }

// Generation returns the number of the profile key in use and the SHA-256 that
// it is known by; 0 before the first rotation.
func (l *DeviceLog) Generation() (uint64, Hash) { return l.generation, l.commitment }

func (l *DeviceLog) begin() *logEntry { return &l.entries[0] }

// find returns the place of a valid device, -1 for any other node.
func (l *DeviceLog) find(id peer.ID) int {
	return slices.IndexFunc(l.members, func(m member) bool { return m.ID == id })
}

func (l *DeviceLog) has(d Device) bool {
	i := l.find(d.ID)
	return i >= 0 && l.members[i].Device == d
}
