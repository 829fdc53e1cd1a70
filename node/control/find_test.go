package control

import (
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/roster"
)

func TestBuddiesAreFoundByWhatAPersonCallsThem(t *testing.T) {
	a, b, c, d := newAccount(t), newAccount(t), newAccount(t), newAccount(t)
	all := []roster.Buddy{
		{Account: a, Petname: "alice", Name: "Ali"},
		{Account: b, Petname: "Ali", Name: "alice"}, // calls itself what another is called here
		{Account: c, Name: "Carol"},
		{Account: d, Name: "CAROL"},
	}
	for _, x := range []struct {
		ref  string
		want identity.Principal
		code wire.Code
	}{
		{a.String(), a, wire.OK},
		{" " + a.String() + "\n", a, wire.OK},
		{a.String()[len(accountPrefix):], a, wire.OK},
		{"alice", a, wire.OK},
		{"ALICE", a, wire.OK},
		{"Ali", b, wire.OK},
		{"Carol", c, wire.OK},
		{"CAROL", d, wire.OK},
		{"carol", identity.Principal{}, wire.BadRequest},
		{"nobody", identity.Principal{}, wire.Unknown},
		{"", identity.Principal{}, wire.Unknown},
		{"acct:", identity.Principal{}, wire.BadRequest},
		{a.String()[:len(a.String())-1], identity.Principal{}, wire.BadRequest},
	} {
		got, err := findBuddy(all, x.ref)
		if wire.CodeOf(err) != x.code || err == nil && got != x.want {
			t.Errorf("%q is %v, %v; want %v, %v", x.ref, got, err, x.want, x.code)
		}
		if err != nil && wire.NextOf(err) == "" {
			t.Errorf("%q: %v says not what to do", x.ref, err)
		}
	}
}

func TestRequestsAreFoundByNameWhereOneHasIt(t *testing.T) {
	a, b, c := newAccount(t), newAccount(t), newAccount(t)
	all := []roster.Request{{Account: a, Name: "Eve"}, {Account: b, Name: "eve"}, {Account: c, Name: "Carol"}}
	for ref, want := range map[string]wire.Code{"Eve": wire.BadRequest, "carol": wire.OK, c.String(): wire.OK, "x": wire.Unknown, "": wire.Unknown} {
		got, err := findRequest(all, ref)
		if wire.CodeOf(err) != want || err == nil && got != c {
			t.Errorf("%q: %v, %v", ref, got, err)
		}
	}
}
