package identity

import (
	"bytes"
)

// Outcome is how a log that is shown relates to the one that is known.
type Outcome uint8

// The outcomes of Judge.
const (
	LogSame    Outcome = 1 // both are one: "same"
	LogExtends Outcome = 2 // shown goes on from known, or nothing was known: "extends"
	LogOlder   Outcome = 3 // known goes on from shown: "older"
	LogBeats   Outcome = 4 // shown wins: they fork, or its root has begun anew: "beats"
	LogLoses   Outcome = 5 // known wins, for the same reasons: "loses"
	LogForeign Outcome = 6 // shown is another account's: "foreign"
)

// String returns the outcome's word, "none" for anything that is not one.
func (o Outcome) String() string {
	words := [...]string{"none", "same", "extends", "older", "beats", "loses", "foreign"}
	if int(o) >= len(words) {
		return words[0]
	}
	return words[o]
}

// Judge returns which of two logs is to be kept, and how the one that is shown
// relates to the one that is known, which stays unless it is extended or
// beaten. Of any set of logs of an account the same one is left in the end, in
// whatever order they are shown. Either may be nil.
func Judge(known, shown *DeviceLog) (*DeviceLog, Outcome) {
	switch {
	case shown == nil:
		return known, LogOlder
	case known == nil:
		return shown, LogExtends
	case known.account != shown.account:
		return known, LogForeign
	case known.Head() == shown.Head():
		return known, LogSame
	case shown.follows(known):
		return shown, LogExtends
	case known.follows(shown):
		return known, LogOlder
	case shown.outranks(known):
		return shown, LogBeats
	}
	return known, LogLoses
}

// follows reports that l goes on from older: it has all its entries, or has
// begun anew, in a later epoch, where older ends.
func (l *DeviceLog) follows(older *DeviceLog) bool {
	if l.sameBegin(older) {
		return common(l, older) == len(older.entries)
	}
	return l.begin().prev == older.Head() && l.begin().Epoch > older.begin().Epoch
}

// outranks is the fork rule, for two logs of which neither has all entries of
// the other. It is a total order (see the package comment): whoever changes it
// has that to prove again.
func (l *DeviceLog) outranks(other *DeviceLog) bool {
	if l.begin().Epoch != other.begin().Epoch {
		return l.begin().Epoch > other.begin().Epoch
	}
	fork := common(l, other)
	if mine, its := l.heaviest(fork), other.heaviest(fork); mine != its {
		return mine > its
	}
	return bytes.Compare(l.entries[fork].Hash[:], other.entries[fork].Hash[:]) < 0
}

func (l *DeviceLog) sameBegin(other *DeviceLog) bool { return l.begin().Hash == other.begin().Hash }

// heaviest returns the greatest weight of the entries from a place on.
func (l *DeviceLog) heaviest(from int) int {
	most := l.entries[from].weight
	for _, e := range l.entries[from:] {
		most = max(most, e.weight)
	}
	return most
}

// common returns how many first entries two logs share.
func common(a, b *DeviceLog) int {
	n := 0
	for n < len(a.entries) && n < len(b.entries) && a.entries[n].Hash == b.entries[n].Hash {
		n++
	}
	return n
}
