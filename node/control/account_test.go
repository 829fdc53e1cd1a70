package control

import (
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

func TestADraftIsKeptOnceItIsWrittenDown(t *testing.T) {
	_, s, c := serve(t)
	ctx := t.Context()
	if err := c.LogoutAccount(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := c.Account(ctx)
	wantCode(t, err, wire.NotReady, "no account")
	d, err := c.DraftAccount(ctx, api.AccountDraftRequest{Name: "Bob", Device: "desk", Passphrase: "p"})
	if err != nil || d.Recovery != "recovery p" {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = c.Account(ctx)
	wantCode(t, err, wire.NotReady, "no account")
	a, err := c.KeepAccount(ctx, d.Account)
	if err != nil || a.ID != d.Account || a.Name != "Bob" || a.Devices[0].Name != "desk" || !a.Devices[0].This || a.Devices[0].Presence != "connected" {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = c.KeepAccount(ctx, d.Account)
	wantCode(t, err, wire.Unknown, "no draft")
	if s.draft.Load() != nil {
		t.Error("the draft's keys are still there")
	}
}

func TestAccountTellsOfItsDevices(t *testing.T) {
	n, _, c := serve(t)
	a, err := c.Account(t.Context())
	if err != nil || a.Device != n.id.String() || a.Contact != "on" || a.Revoked || a.Waiting || len(a.Devices) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	phone := a.Devices[1]
	if phone.Name != "phone" || phone.This || phone.Presence != "announced" || phone.AddedBy != n.id.String() || phone.Added == nil {
		t.Errorf("%+v", phone)
	}
	if first := a.Devices[0]; first.AddedBy != "" || first.Added == nil {
		t.Errorf("%+v", first)
	}
	if a, err = c.NameDevice(t.Context(), phone.ID, "Phone"); err != nil || a.Devices[1].Name != "Phone" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err = c.RevokeDevice(t.Context(), "PHONE"); err != nil || len(a.Devices) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestDevicesThatShareANameAreToldApart(t *testing.T) {
	f := newFakeAccounts(t, fakeKey(t, 1))
	a, err := f.update(func(a account.Account) (account.Account, error) {
		return a.AddDevice(f.act(), fakeDevice(t, 3), "Phone")
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = findDevice(a, "phone")
	wantCode(t, err, wire.BadRequest, "2 devices")
	_, err = findDevice(a, "")
	wantCode(t, err, wire.Unknown, "no device")
	_, err = findDevice(account.Account{}, "phone")
	wantCode(t, err, wire.NotReady, "no account")
	id := fakeDevice(t, 3).ID
	for _, ref := range []string{id.String(), "peer:" + id.String()} {
		if got, err := findDevice(a, ref); err != nil || got != id {
			t.Errorf("%s: %s, %v", ref, got, err)
		}
	}
}

func TestChangesOfTheAccountAreEvents(t *testing.T) {
	_, _, c := serve(t)
	name := "Alicia"
	for e, err := range c.Events(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == api.EventGap {
			if _, err := c.EditProfile(t.Context(), api.AccountProfileRequest{Name: &name}); err != nil {
				t.Fatal(err)
			}
		}
		if e.Kind == api.EventAccount {
			if e.OwnAccount == nil || e.OwnAccount.Name != name {
				t.Errorf("%+v", e.OwnAccount)
			}
			return
		}
	}
}

func TestLinkingIsTold(t *testing.T) {
	f := newFakeAccounts(t, fakeKey(t, 1))
	_, _, c := serve(t, func(cfg *Config) { cfg.Accounts = f })
	for _, end := range []struct {
		err  error
		kind string
	}{{nil, api.LinkLinked}, {wire.Errorf(wire.Gone, "guessed at"), api.LinkClosed}} {
		var kinds []string
		var last api.LinkEvent
		for e, err := range c.LinkDevice(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, e.Kind)
			if last = e; e.Kind == api.LinkFailed {
				f.linked <- end.err
			}
		}
		if len(kinds) != 3 || kinds[0] != api.LinkOffered || last.Kind != end.kind || end.err == nil && last.Name != "phone" || wire.CodeOf(last.Problem.Err()) != wire.CodeOf(end.err) {
			t.Errorf("%v, %+v", kinds, last)
		}
	}
	for range c.LinkDevice(t.Context()) {
		break // the node ends it: Close of the server waits
	}
	if err := f.LogoutAccount(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.LinkDevice(t.Context()) {
		wantCode(t, err, wire.NotReady, "no account")
	}
}
