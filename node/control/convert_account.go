package control

import (
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/roster"
)

// apiAccount tells an account, and how near its devices are as far as is known.
func apiAccount(a account.Account, near []roster.Device) api.Account {
	p := a.Profile()
	out := api.Account{
		ID: a.ID().String(), Name: p.Name(), Contact: p.Contact().String(), Device: a.Me().String(),
		Revoked: a.Revoked(), Waiting: !a.Current(), Devices: []api.AccountDevice{},
	}
	presence := map[peer.ID]roster.Presence{a.Me(): roster.Connected}
	for _, d := range near {
		presence[d.ID] = d.Presence
	}
	added := arrivals(a.Log())
	for _, d := range a.Log().Devices() {
		x := added[d.ID]
		x.ID, x.Name, x.This, x.Presence = d.ID.String(), p.DeviceName(d.ID), d.ID == a.Me(), presence[d.ID].String()
		out.Devices = append(out.Devices, x)
	}
	return out
}

// arrivals tells when each device came last, and by whom.
func arrivals(log *identity.DeviceLog) map[peer.ID]api.AccountDevice {
	all := map[peer.ID]api.AccountDevice{}
	for _, e := range log.Entries() {
		var x api.AccountDevice
		if !e.At.IsZero() {
			x.Added = &e.At
		}
		if by, ok := e.Author.Peer(); ok {
			x.AddedBy = by.String()
		}
		switch e.Op {
		case identity.OpAdd:
			all[e.Device.ID] = x
		case identity.OpBegin:
			for _, d := range e.Devices {
				if _, before := all[d.ID]; !before {
					all[d.ID] = x
				}
			}
		}
	}
	return all
}

// findDevice is the device that a person means: by its peer ID, or by its name if
// only one has it. Case does not count.
func findDevice(a account.Account, ref string) (peer.ID, error) {
	if a.IsZero() {
		return "", account.ErrNone
	}
	var found []peer.ID
	for _, d := range a.Log().Devices() {
		switch {
		case ref == d.ID.String() || ref == identity.PeerPrincipal(d.ID).String():
			return d.ID, nil
		case strings.EqualFold(ref, a.Profile().DeviceName(d.ID)) && ref != "":
			found = append(found, d.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", wire.Errorf(wire.Unknown, "the account has no device %q", ref).WithNext("see panpipe account devices")
	case 1:
		return found[0], nil
	}
	return "", wire.Errorf(wire.BadRequest, "%d devices are called %q", len(found), ref).WithNext("name it by its peer ID, from panpipe account devices")
}
