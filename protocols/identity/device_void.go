package identity

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Void returns what author has signed in loser, which l beats, and should sign
// again on top of l by Append, in order. A device that l has named since the
// fork, or whose root has left it out, is not added again; rotations are left
// out, since a new one is due where a revocation is among the entries. It is
// empty when author is not valid in l, and when l has begun anew at a place
// that loser does not have, since it may then have dropped them knowingly.
func (l *DeviceLog) Void(loser *DeviceLog, author peer.ID) []Entry {
	if loser == nil || loser.account != l.account || !l.Valid(author) {
		return nil
	}
	fork := l.forkIn(loser)
	by := PeerPrincipal(author)
	var again []Entry
	for _, e := range loser.entries[fork:] {
		id := e.Device.ID
		revokes := e.Op == OpRevoke && l.Valid(id)
		adds := e.Op == OpAdd && loser.has(e.Device) && !l.Valid(id) && !l.settled(id, loser, fork)
		named := func(a Entry) bool { return a.Device.ID == id }
		if e.Author == by && (revokes || adds) && !slices.ContainsFunc(again, named) {
			again = append(again, Entry{Op: e.Op, Device: e.Device, At: e.At})
		}
	}
	return again
}

// forkIn returns how many first entries of loser stand for l too: all of them
// where the fork cannot be found.
func (l *DeviceLog) forkIn(loser *DeviceLog) int {
	if l.sameBegin(loser) {
		return common(l, loser)
	}
	for i, e := range loser.entries {
		if e.Hash == l.begin().prev {
			return i + 1
		}
	}
	return len(loser.entries)
}

// settled reports that l, which forks from loser there, has decided about a
// device that is not valid in it.
func (l *DeviceLog) settled(id peer.ID, loser *DeviceLog, fork int) bool {
	mine := l.entries
	if l.sameBegin(loser) {
		mine = l.entries[fork:]
	}
	for _, e := range mine {
		if e.Device.ID == id {
			return true
		}
	}
	// A root that begins anew names only those that stay.
	valid := false
	for _, e := range loser.entries[:fork] {
		for _, d := range e.Devices {
			valid = valid || d.ID == id
		}
		if e.Device.ID == id {
			valid = e.Op == OpAdd
		}
	}
	return valid
}
