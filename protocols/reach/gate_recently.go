package reach

import (
	"container/list"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// mark is a peer at a place: an IP address, or a name.
type mark struct {
	peer peer.ID
	ip   netip.Addr
	name string
}

// mark is where t leads, whatever the port.
func (t target) mark() mark { return mark{t.peer, t.ip, t.name} }

// recently is a set of marks that forgets the oldest when it is full.
type recently struct {
	most  int
	order *list.List // of noted, oldest first
	at    map[mark]*list.Element
}

type noted struct {
	mark
	when time.Time
}

func newRecently(most int) *recently {
	return &recently{most: most, order: list.New(), at: make(map[mark]*list.Element)}
}

// note adds m, or makes it the newest.
func (r *recently) note(m mark, now time.Time) {
	if el, ok := r.at[m]; ok {
		el.Value = noted{m, now}
		r.order.MoveToBack(el)
		return
	}
	r.at[m] = r.order.PushBack(noted{m, now})
	if r.order.Len() > r.most {
		oldest := r.order.Remove(r.order.Front()).(noted)
		delete(r.at, oldest.mark)
	}
}

func (r *recently) has(m mark) bool { return r.at[m] != nil }

// hasSince reports that m was noted at t or later.
func (r *recently) hasSince(m mark, t time.Time) bool {
	el, ok := r.at[m]
	return ok && !el.Value.(noted).when.Before(t)
}
