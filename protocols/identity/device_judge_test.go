package identity

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// wantJudge checks both directions: the winner does not depend on which of two
// logs was there first.
func wantJudge(t *testing.T, name string, known, shown *DeviceLog, want Outcome) {
	t.Helper()
	back := map[Outcome]Outcome{
		LogSame: LogSame, LogExtends: LogOlder, LogOlder: LogExtends, LogBeats: LogLoses, LogLoses: LogBeats, LogForeign: LogForeign,
	}
	check := func(known, shown *DeviceLog, want Outcome) {
		winner, got := Judge(known, shown)
		taken := got == LogExtends || got == LogBeats
		if got != want || (winner == shown) != taken || (winner == known) == taken {
			t.Errorf("%s: %v, want %v; the winner is the shown one: %t", name, got, want, winner == shown)
		}
	}
	check(known, shown, want)
	check(shown, known, back[want])
}

// fork is a pair of logs and what is to become of the one that is shown.
type fork struct {
	name         string
	known, shown *DeviceLog
	want         Outcome
}

// forks are all rules of Judge. 2 is senior to 3, that to 4.
func forks(t testing.TB) []fork {
	t.Helper()
	base := extend(t, testLog(t, 2), rootSeed, begins(t, 2, 3, 4))
	on := func(signer byte, entries ...Entry) *DeviceLog { return extend(t, base, signer, entries...) }
	by := func(seed byte, e Entry, l *DeviceLog) *DeviceLog { return extend(t, l, seed, e) }
	low, high := on(2, adds(t, 5)), on(2, adds(t, 6))
	if low.Head().String() > high.Head().String() {
		low, high = high, low
	}
	return []fork{
		{"nothing new", base, base, LogSame},
		{"one entry more", base, on(4, adds(t, 5)), LogExtends},
		{"many entries more", base, on(4, adds(t, 5), revokes(t, 3), testRotation(1)), LogExtends},
		{"the root begins anew from the head", base, on(rootSeed, revokes(t, 2)), LogExtends},

		{"the root's begin against any branch", on(2, revokes(t, 3), revokes(t, 4)), on(rootSeed, adds(t, 5)), LogBeats},
		{"the root's second begin against its first", on(rootSeed, adds(t, 5)), on(rootSeed, adds(t, 6), revokes(t, 6)), LogBeats},
		{"a revocation against a senior's add", on(2, adds(t, 5)), on(4, revokes(t, 2)), LogBeats},
		{"a later revocation against a senior's add", on(2, adds(t, 5)), on(4, adds(t, 6), testRotation(1), revokes(t, 2)), LogBeats},
		{"two revoke each other: the senior", on(4, revokes(t, 3)), on(3, revokes(t, 4)), LogBeats},
		{"a revoked thief goes on from an older entry", on(2, revokes(t, 3)), on(3, adds(t, 5), testRotation(1)), LogLoses},
		{"a revoked thief revokes from an older entry", on(2, adds(t, 5), revokes(t, 3)), on(3, revokes(t, 2)), LogLoses},
		{"a senior thief against a junior", on(3, revokes(t, 2)), on(2, revokes(t, 3)), LogBeats},
		{"what a senior thief has won goes to the root", on(2, revokes(t, 3)), on(rootSeed, revokes(t, 2)), LogBeats},
		{"neither revokes: the senior", on(4, adds(t, 5)), on(3, testRotation(1)), LogBeats},
		{"the senior need not be the first", on(3, adds(t, 5)), by(2, testRotation(1), on(4, adds(t, 6))), LogBeats},
		{"the senior may revoke later", on(3, revokes(t, 2)), by(2, revokes(t, 3), on(4, adds(t, 6))), LogBeats},
		{"the same weight: the lower hash", high, low, LogBeats},
		{"whatever the other goes on with", extend(t, high, 3, adds(t, 7), testRotation(1)), low, LogBeats},
		{"another account", base, otherAccount(t), LogForeign},
	}
}

func TestJudgeKeepsTheRulesOfForks(t *testing.T) {
	for _, v := range forks(t) {
		shown, err := ParseLog(v.shown.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		wantJudge(t, v.name, v.known, shown, v.want)
	}
}

func otherAccount(t testing.TB) *DeviceLog {
	t.Helper()
	l, err := NewLog(testKey(t, 9), testDevice(t, 2), testTime)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestJudgeTakesWhatThereIs(t *testing.T) {
	l := testLog(t, 2)
	for _, v := range []struct{ known, shown, winner *DeviceLog }{{nil, l, l}, {l, nil, l}, {nil, nil, nil}} {
		if winner, _ := Judge(v.known, v.shown); winner != v.winner {
			t.Errorf("%v of %v and %v", winner, v.known, v.shown)
		}
	}
}

// A root of which nothing else is left begins anew without knowing the log that
// others keep.
func TestRootAloneWinsAgainstAllOlderLogs(t *testing.T) {
	lost := extend(t, testLog(t, 2, 3), 3, revokes(t, 2))
	lost = extend(t, lost, rootSeed, adds(t, 4))
	found, err := NewLog(testKey(t, rootSeed), testDevice(t, 5), testTime.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantJudge(t, "found", lost, found, LogBeats)
	// Where its clock is behind, a look at the others' log is enough.
	late, err := NewLog(testKey(t, rootSeed), testDevice(t, 5), testTime.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantJudge(t, "clock behind", lost, late, LogLoses)
	wantJudge(t, "having seen it", lost, extend(t, lost, rootSeed, begins(t, 5)), LogExtends)
}

// Of three branches of which each revokes the author of the next, a rule that
// asks who revokes whom would have each beat another, and the last one shown
// would stay.
func TestThreeThatRevokeInACircleHaveOneWinner(t *testing.T) {
	base := testLog(t, 2, 3, 4)
	a, b, c := extend(t, base, 2, revokes(t, 3)), extend(t, base, 3, revokes(t, 4)), extend(t, base, 4, revokes(t, 2))
	for _, order := range [][]*DeviceLog{{a, b, c}, {a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}} {
		var kept *DeviceLog
		for _, l := range order {
			kept, _ = Judge(kept, l)
		}
		if kept != a {
			t.Errorf("kept %s", kept.Head())
		}
	}
}

// family draws logs of one account that fork in any way: several begins, also
// of one epoch, and entries on top of any log, also by one author twice.
func family(t *rapid.T, tb testing.TB) []*DeviceLog {
	logs := []*DeviceLog{testLog(tb, 2, 3, 4)}
	for len(logs) < 16 {
		l := rapid.SampledFrom(logs).Draw(t, "from")
		signer := byte(rootSeed)
		if n := rapid.IntRange(0, 6*len(l.members)).Draw(t, "signer"); n < 6*len(l.members) {
			signer = l.members[n/6].Box[0]
		}
		about := byte(rapid.IntRange(2, 6).Draw(t, "about"))
		e := adds(tb, about)
		switch {
		case rapid.IntRange(0, 5).Draw(t, "rotates") == 0:
			e = testRotation(l.generation + 1)
		case l.Valid(e.Device.ID):
			e = revokes(tb, about)
		}
		e.At = e.At.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "later")) * time.Millisecond)
		logs = append(logs, extend(tb, l, signer, e))
	}
	return logs
}

// above reports that a verifier that keeps one log takes the other.
func above(l, kept *DeviceLog) bool {
	winner, _ := Judge(kept, l)
	return winner.Head() == l.Head()
}

// wantTotalOrder fails unless every log loses against another number of the
// logs: only then is no circle among the winners of pairs, and one log is left
// of any set of them.
func wantTotalOrder(t interface{ Fatal(...any) }, logs []*DeviceLog) {
	once := make(map[Hash]*DeviceLog)
	for _, l := range logs {
		once[l.Head()] = l
	}
	places := make(map[int]bool)
	for _, a := range once {
		place := 0
		for _, b := range once {
			switch {
			case a == b:
			case above(a, b) == above(b, a):
				t.Fatal("the winner of two depends on which was there first")
			case above(a, b):
				place++
			}
		}
		if places[place] {
			t.Fatal("winners go round in a circle")
		}
		places[place] = true
	}
}

// All logs of three devices that grow by up to three revocations or rotations.
func TestJudgeIsATotalOrderOfAllSmallLogs(t *testing.T) {
	all := []*DeviceLog{testLog(t, 2, 3, 4)}
	for from, depth := 0, 0; depth < 3; depth++ {
		grown := all[from:]
		from = len(all)
		for _, l := range grown {
			for _, signer := range l.members {
				all = append(all, extend(t, l, signer.Box[0], testRotation(l.generation+1)))
				for _, about := range l.members {
					all = append(all, extend(t, l, signer.Box[0], revokes(t, about.Box[0])))
				}
			}
		}
	}
	wantTotalOrder(t, all)
}

func judgeIsATotalOrder(tb testing.TB) func(t *rapid.T) {
	return func(t *rapid.T) {
		logs := family(t, tb)
		wantTotalOrder(t, logs)
		var kept [2]*DeviceLog
		for i := range kept {
			for _, l := range rapid.Permutation(logs).Draw(t, "order") {
				kept[i], _ = Judge(kept[i], l)
			}
			for _, l := range logs {
				if above(l, kept[i]) && l.Head() != kept[i].Head() {
					t.Fatal("another than the last one kept wins")
				}
			}
		}
		if kept[0].Head() != kept[1].Head() {
			t.Fatal("the winner depends on the order of arrival")
		}
		signer := kept[0].members
		if len(signer) > 0 {
			grown := extend(tb, kept[0], signer[0].Box[0], testRotation(kept[0].generation+1))
			for _, l := range logs {
				if !above(grown, l) {
					t.Fatal("a winner that goes on loses against what it had beaten")
				}
			}
		}
	}
}

func TestJudgeIsATotalOrder(t *testing.T) { rapid.Check(t, judgeIsATotalOrder(t)) }

func FuzzJudge(f *testing.F) {
	f.Add(bytes.Repeat([]byte("any bytes: "), 500))
	f.Fuzz(func(t *testing.T, raw []byte) { rapid.MakeFuzz(judgeIsATotalOrder(t))(t, raw) })
}
