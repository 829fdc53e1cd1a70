package identity

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// said writes entries as "add 5".
func said(t testing.TB, entries []Entry) []string {
	t.Helper()
	var out []string
	for _, e := range entries {
		name := "?"
		for n := byte(2); n < 20; n++ {
			if testDevice(t, n).ID == e.Device.ID {
				name = fmt.Sprint(n)
			}
		}
		out = append(out, e.Op.String()+" "+name)
	}
	return out
}

func TestVoidEntriesAreSignedAgainWhereTheyStillMakeSense(t *testing.T) {
	base := testLog(t, 2, 3, 4)
	on := func(signer byte, entries ...Entry) *DeviceLog { return extend(t, base, signer, entries...) }
	by := func(seed byte, l *DeviceLog, entries ...Entry) *DeviceLog { return extend(t, l, seed, entries...) }
	for _, v := range []struct {
		name          string
		winner, loser *DeviceLog
		author        byte
		want          []string
	}{
		{"an add", on(2, revokes(t, 4)), on(3, adds(t, 5)), 3, []string{"add 5"}},
		{"only one's own", on(2, revokes(t, 4)), by(3, by(5, on(3, adds(t, 5)), adds(t, 6)), adds(t, 7)), 3, []string{"add 5", "add 7"}},
		{"a revocation", on(2, revokes(t, 4), adds(t, 6)), on(3, adds(t, 5), revokes(t, 2)), 3, []string{"add 5", "revoke 2"}},
		{"a revocation that the winner has", on(2, revokes(t, 4)), on(3, revokes(t, 4)), 3, nil},
		{"no rotation", on(2, testRotation(1)), on(3, testRotation(1)), 3, nil},
		{"an add taken back", on(2, revokes(t, 4)), on(3, adds(t, 5), revokes(t, 5)), 3, nil},
		{"an add and what it was replaced by", on(2, revokes(t, 4)), on(3, adds(t, 5), revokes(t, 5), adds(t, 5)), 3, []string{"add 5"}},
		{"a device that the winner has revoked", on(2, adds(t, 5), revokes(t, 5)), on(3, adds(t, 5)), 3, nil},
		{"a device that both have added", on(2, adds(t, 5)), on(3, adds(t, 5)), 3, nil},
		{"one's own leaving", on(2, revokes(t, 4)), on(3, revokes(t, 3)), 3, []string{"revoke 3"}},
		{"of a revoked author nothing", on(2, revokes(t, 3)), on(3, adds(t, 5)), 3, nil},
		{"before the root's begin nothing, after it all", on(rootSeed, adds(t, 6)), on(3, adds(t, 5)), 3, []string{"add 5"}},
		{"what the root has left out", on(rootSeed, revokes(t, 4)), by(3, on(3, revokes(t, 4)), adds(t, 4)), 3, nil},
		{"a place that is not known", by(rootSeed, on(2, adds(t, 6)), adds(t, 7)), on(3, adds(t, 5)), 3, nil},
		{"another account's", on(2, revokes(t, 4)), otherAccount(t), 2, nil},
	} {
		if v.loser.account == v.winner.account && !above(v.winner, v.loser) {
			t.Fatalf("%s: the winner loses", v.name)
		}
		again := v.winner.Void(v.loser, testDevice(t, v.author).ID)
		if got := said(t, again); !slices.Equal(got, v.want) {
			t.Errorf("%s: %v, want %v", v.name, got, v.want)
		}
		extend(t, v.winner, v.author, again...)
	}
	if again := base.Void(nil, testDevice(t, 2).ID); again != nil {
		t.Errorf("of no log: %v", again)
	}
}

// Honest devices that act at once, hear from each other in any order and sign
// again what became void end with one log, in which every device is out that
// anyone still there has thrown out.
func TestHonestDevicesAgreeAndLoseNoRevocation(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const acting = 3
		nextDevice, revoked := byte(10), make(map[byte][]byte)
		var kept [acting]*DeviceLog
		for i := range kept {
			kept[i] = testLog(t, 2, 3, 4, 5, 6)
		}
		hear := func(me int, shown *DeviceLog) {
			before := kept[me]
			kept[me], _ = Judge(before, shown)
			if kept[me] == before || !kept[me].Valid(testDevice(t, byte(2+me)).ID) {
				return
			}
			kept[me] = extend(t, kept[me], byte(2+me), kept[me].Void(before, testDevice(t, byte(2+me)).ID)...)
		}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			me := rapid.IntRange(0, acting-1).Draw(r, "me")
			l := kept[me]
			switch rapid.IntRange(0, 2).Draw(r, "does") {
			case 0:
				hear(me, kept[rapid.IntRange(0, acting-1).Draw(r, "hears")])
				continue
			case 1:
				if l.Valid(testDevice(t, byte(2+me)).ID) {
					kept[me] = extend(t, l, byte(2+me), adds(t, nextDevice))
					nextDevice++
				}
			case 2:
				about := rapid.SampledFrom(l.members).Draw(r, "about").Box[0]
				if l.Valid(testDevice(t, byte(2+me)).ID) {
					kept[me] = extend(t, l, byte(2+me), revokes(t, about))
					revoked[byte(2+me)] = append(revoked[byte(2+me)], about)
				}
			}
		}
		for round := 0; kept[0].Head() != kept[1].Head() || kept[1].Head() != kept[2].Head(); round++ {
			if round == 20 {
				r.Fatal("no agreement")
			}
			for i := range 2 * acting {
				hear(i%acting, kept[(i+1+i/acting)%acting])
			}
		}
		for by, all := range revoked {
			for _, about := range all {
				if kept[0].Valid(testDevice(t, by).ID) && kept[0].Valid(testDevice(t, about).ID) {
					r.Fatalf("%d has revoked %d, and both are valid", by, about)
				}
			}
		}
	})
}
