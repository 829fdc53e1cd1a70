package linking

import (
	"bytes"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account/pairing"
)

// TestMailboxPipeIsDerived pins the derivation byte for byte: whoever has the
// name, in whatever language, comes to this owner and this ID.
func TestMailboxPipeIsDerived(t *testing.T) {
	m, err := mailboxOf(pairing.Mailbox{1, 2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	const owner = "peer:12D3KooWPTzjdzjgZ4qrZTbA5C1nL5HLysXUrzQBVVACvMNd8ZdU"
	const id = "bafkreieuxju55f2fw6r55nm4gp46dhxnafdfwlfwxtb3amhr2d4aojzfxq"
	if got := m.advertisement.Owner.String(); got != owner {
		t.Errorf("owner %s", got)
	}
	if got := m.advertisement.ID().String(); got != id {
		t.Errorf("pipe %s", got)
	}
	other, err := mailboxOf(pairing.Mailbox{1, 2, 3, 4, 6})
	if err != nil || other.advertisement.ID() == m.advertisement.ID() {
		t.Errorf("another name leads to the same pipe: %v", err)
	}
}

func TestTheHostMayBindItsMailbox(t *testing.T) {
	m, err := mailboxOf(pairing.Mailbox{7})
	if err != nil {
		t.Fatal(err)
	}
	me, _ := m.advertisement.Owner.Peer() // any peer will do
	raw, err := m.bindingBy(me, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	c, err := identity.OpenCapability(raw)
	if err != nil || c.Issuer != m.advertisement.Owner || c.Term != bindTerm {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.Permit(identity.PeerPrincipal(me), identity.RightBind, m.advertisement.ID().Bytes(), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestInvitationsAreCodesOrTickets(t *testing.T) {
	host, _ := func() (peer.ID, bool) {
		m, err := mailboxOf(pairing.Mailbox{7})
		if err != nil {
			t.Fatal(err)
		}
		return m.advertisement.Owner.Peer()
	}()
	where := identity.Ticket{Overlay: "panpipe", Peers: []peer.AddrInfo{{ID: host, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/4001")}}}}
	ticket, err := pairing.NewTicket(where, bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	code, err := pairing.NewCode(bytes.NewReader(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		text  string
		named bool
		code  wire.Code
	}{
		{code.String(), false, wire.OK},
		{"  " + code.String() + "\n", false, wire.OK},
		{ticket.String(), true, wire.OK},
		{" " + string(bytes.ToUpper([]byte(ticket.String()))), true, wire.OK},
		{ticket.String()[:40], false, wire.BadRequest},
		{where.String(), false, wire.BadRequest},
		{"", false, wire.BadRequest},
		{"link:", false, wire.BadRequest},
	} {
		i, err := Parse(row.text)
		if _, named := i.Host(); wire.CodeOf(err) != row.code || named != row.named {
			t.Errorf("%q: %+v, %v", row.text, i.Where, err)
		}
	}
}
