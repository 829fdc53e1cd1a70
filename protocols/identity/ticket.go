package identity

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limits of a ticket.
const (
	MaxTicketAddrs = 16  // addresses in all
	maxTicketAddr  = 256 // bytes of one address, with its /p2p
	maxTicket      = MaxTicketAddrs*(maxTicketAddr+2) + 64
	maxOverlay     = 32 // characters
)

// Field numbers of a ticket.
const (
	ticketOverlay = 1
	ticketAddrs   = 2
)

// Ticket is an invitation: the prefix of an overlay and a few nodes through
// which it can be joined. It is not signed and gives no right.
type Ticket struct {
	Overlay string          // see CheckOverlay
	Peers   []peer.AddrInfo // each with addresses; at most MaxTicketAddrs in all
}

// ParseTicket reads a ticket's text. Errors are BadRequest for a text that is
// mistyped or not a ticket, TooLarge above a cap, Unsupported for one made by
// a newer version.
func ParseTicket(s string) (Ticket, error) {
	b, err := ticketForm().Parse(s)
	if err != nil {
		return Ticket{}, err
	}
	return TicketFromBytes(b)
}

// String returns the ticket's text: "ticket:" and base32 with a checksum. Of
// more than MaxTicketAddrs addresses every peer keeps about as many, its first
// ones; what cannot stand in a ticket (an address above 256 bytes, or one of
// another peer) is left out.
func (t Ticket) String() string { return ticketForm().Format(t.Bytes()) }

// CheckOverlay reports whether name can be an overlay's prefix: 1 to 32 of
// a-z, 0-9 and hyphens, a hyphen neither first nor last, so that it fits a
// protocol ID and a DNS label. The error is BadRequest.
func CheckOverlay(name string) error {
	ok := len(name) > 0 && len(name) <= maxOverlay && name[0] != '-' && name[len(name)-1] != '-'
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	}
	if !ok {
		return wire.Errorf(wire.BadRequest, "overlay %s: expected 1 to %d of a-z, 0-9 and inner hyphens", quote(name), maxOverlay)
	}
	return nil
}

func ticketForm() TextForm { return TextForm{Name: "ticket", Prefix: "ticket:", Limit: maxTicket} }

// Bytes returns the ticket's canonical form, of which String makes the text.
func (t Ticket) Bytes() []byte {
	var b wire.Builder
	return b.String(ticketOverlay, t.Overlay).List(ticketAddrs, t.addrs()).Build()
}

// addrs returns the addresses that go into the ticket, in binary, peer by peer.
func (t Ticket) addrs() [][]byte {
	usable := make([][][]byte, len(t.Peers))
	longest := 0
	for i, p := range t.Peers {
		usable[i] = ticketAddrsOf(p)
		longest = max(longest, len(usable[i]))
	}
	take := make([]int, len(usable))
	left := MaxTicketAddrs
	for round := range longest {
		for i := range usable {
			if round < len(usable[i]) && left > 0 {
				take[i]++
				left--
			}
		}
	}
	var all [][]byte
	for i := range usable {
		all = append(all, usable[i][:take[i]]...)
	}
	return all
}

// ticketAddrsOf returns p's addresses that can stand in a ticket, each once.
func ticketAddrsOf(p peer.AddrInfo) [][]byte {
	if checkID(p.ID) != nil {
		return nil
	}
	var out [][]byte
	seen := make(map[string]bool)
	for _, a := range p.Addrs {
		place, id := peer.SplitAddr(a)
		if len(place) == 0 || (id != "" && id != p.ID) {
			continue
		}
		full, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: p.ID, Addrs: []ma.Multiaddr{place}})
		if err != nil {
			continue
		}
		b := full[0].Bytes()
		if len(b) > maxTicketAddr || seen[string(b)] {
			continue
		}
		seen[string(b)] = true
		out = append(out, b)
	}
	return out
}

// TicketFromBytes reads what Bytes made. Errors are those of ParseTicket.
func TicketFromBytes(b []byte) (Ticket, error) {
	f, err := wire.ParseFields(b)
	if err != nil {
		return Ticket{}, wire.Errorf(wire.CodeOf(err), "ticket: %w", err)
	}
	t := Ticket{Overlay: f.String(ticketOverlay, maxOverlay)}
	addrs := f.List(ticketAddrs, MaxTicketAddrs, maxTicketAddr)
	if err := f.Done(); err != nil {
		return Ticket{}, wire.Errorf(wire.CodeOf(err), "ticket: %w", err)
	}
	if err := CheckOverlay(t.Overlay); err != nil {
		return Ticket{}, wire.Errorf(wire.BadRequest, "ticket: %w", err)
	}
	for i, a := range addrs {
		if err := t.add(a); err != nil {
			return Ticket{}, wire.Errorf(wire.BadRequest, "ticket: address %d: %w", i+1, err)
		}
	}
	if len(t.Peers) == 0 {
		return Ticket{}, wire.Errorf(wire.BadRequest, "ticket names no nodes")
	}
	return t, nil
}

// add puts a binary address with /p2p to its peer. One that is there already
// changes nothing.
func (t *Ticket) add(b []byte) error {
	a, err := ma.NewMultiaddrBytes(b)
	if err != nil {
		return err
	}
	place, id := peer.SplitAddr(a)
	if len(place) == 0 || id == "" {
		return wire.Errorf(wire.BadRequest, "%s: expected a place and /p2p with a peer ID", a)
	}
	if err := checkID(id); err != nil {
		return err
	}
	i := slices.IndexFunc(t.Peers, func(p peer.AddrInfo) bool { return p.ID == id })
	if i < 0 {
		i = len(t.Peers)
		t.Peers = append(t.Peers, peer.AddrInfo{ID: id})
	}
	if !slices.ContainsFunc(t.Peers[i].Addrs, place.Equal) {
		t.Peers[i].Addrs = append(t.Peers[i].Addrs, place)
	}
	return nil
}
