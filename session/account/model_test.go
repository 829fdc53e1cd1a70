package account

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// family is the devices of one account as they are apart: each knows what it
// was told.
type family struct {
	t       *rapid.T
	devices map[byte]Account
	next    byte
}

// TestDevicesComeToAgree: whatever devices add, revoke, leave, rotate and edit
// while they cannot hear each other, once they do all that are left have one
// log, one key and one profile, and no other has that key.
func TestDevicesComeToAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, _ := newAccount(t)
		f := &family{t: t, devices: map[byte]Account{1: first}, next: 2}
		for i := range rapid.IntRange(0, 16).Draw(t, "acts") {
			f.act(fmt.Sprint(i))
		}
		f.gossip()
		f.check()
	})
}

func (f *family) pick(label string) byte {
	ids := make([]byte, 0, len(f.devices))
	for n := byte(1); n < f.next; n++ {
		if _, ok := f.devices[n]; ok {
			ids = append(ids, n)
		}
	}
	return rapid.SampledFrom(ids).Draw(f.t, label)
}

// act has one device do one thing, alone. What it may not do it does not.
func (f *family) act(label string) {
	n, other := f.pick(label+" who"), f.pick(label+" whom")
	a, act := f.devices[n], testAct(f.t, n)
	switch rapid.SampledFrom([]string{"add", "revoke", "leave", "rotate", "edit", "edit", "meet", "meet"}).Draw(f.t, label) {
	case "add":
		if !a.Current() || a.Revoked() || f.next > 6 {
			return
		}
		f.devices[n], f.devices[f.next] = linked(f.t, a, n, f.next)
		f.next++
	case "revoke":
		if next, err := a.Revoke(act, testPeer(f.t, other)); err == nil && other != n {
			f.devices[n] = next
		}
	case "leave":
		if next, err := a.Revoke(act, a.Me()); err == nil && len(a.Log().Devices()) > 1 {
			f.devices[n] = next
		}
	case "rotate":
		if next, err := a.Rotate(act); err == nil {
			f.devices[n] = next
		}
	case "edit":
		if next, _, err := a.Edit(SetName(label), SetPetname(testAccount(f.t, 40+n), label)); err == nil {
			f.devices[n] = next
		}
	case "meet":
		f.meet(n, other)
	}
}

// meet has n hear what from says, as long as both think that from is a device.
func (f *family) meet(n, from byte) (changed bool) {
	a, b, act := f.devices[n], f.devices[from], testAct(f.t, n)
	head := a.Log().Head()
	next, adoption, err := a.Adopt(act, b.Log())
	if err != nil || len(adoption.Lost) > 0 {
		f.t.Fatalf("%v, lost %v", err, adoption.Lost)
	}
	if next.Log().Valid(b.Me()) && !next.Revoked() {
		if bundle, err := b.Bundle(testAct(f.t, from)); err == nil && !next.Current() {
			if taken, err := next.Take(act, bundle, 0); err == nil {
				next = taken
			}
		}
		next = mustMerge(f.t, next, b.Profile())
	}
	f.devices[n] = next
	return next.Log().Head() != head || next.Current() != a.Current() || !next.Profile().Equal(a.Profile())
}

func mustMerge(t *rapid.T, a Account, p Profile) Account {
	m, err := a.Merge(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// gossip lets all hear all until nothing changes. The most senior device then
// rotates where that is due.
func (f *family) gossip() {
	for range 50 {
		changed := false
		for n := byte(1); n < f.next; n++ {
			for from := byte(1); from < f.next; from++ {
				changed = f.meet(n, from) || changed
			}
		}
		if changed {
			continue
		}
		if !f.rotateIfDue() {
			return
		}
	}
	f.t.Fatal("no end of it")
}

func (f *family) rotateIfDue() bool {
	for n, a := range f.devices {
		senior := a.Log().Devices()
		if len(senior) == 0 || senior[0].ID != a.Me() || !a.NeedsRotation() {
			continue
		}
		next, err := a.Rotate(testAct(f.t, n))
		if err != nil {
			f.t.Fatal(err)
		}
		f.devices[n] = next
		return true
	}
	return false
}

func (f *family) check() {
	var one Account
	for _, a := range f.devices {
		if !a.Revoked() {
			one = a
		}
	}
	if one.IsZero() {
		return // they have all thrown each other out: the root is left
	}
	for n, a := range f.devices {
		if a.Log().Head() != one.Log().Head() {
			f.t.Fatalf("device %d has another log", n)
		}
		if a.Revoked() {
			if a.key == one.key {
				f.t.Fatalf("device %d was revoked and has the key of now", n)
			}
			continue
		}
		if !a.Current() || a.key != one.key || !a.Profile().Equal(one.Profile()) {
			f.t.Fatalf("device %d: current %v, same profile %v", n, a.Current(), a.Profile().Equal(one.Profile()))
		}
		bundle, err := a.Bundle(testAct(f.t, n))
		if err != nil {
			f.t.Fatal(err)
		}
		if _, err := Linked(one.me, one.box, bundle); err != nil {
			f.t.Fatalf("what device %d hands out: %v", n, err)
		}
	}
}
