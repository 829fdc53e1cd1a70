package pipe

import (
	"bytes"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// charge is an entry's place in the ledger.
type charge struct {
	size  int // as last counted
	group *account
	peer  *account
	// Places in the heaps: of all entries by due time, of the group's by
	// distance. Both are -1 when the entry is not held.
	dueAt, farAt int
}

func (c *charge) held() bool { return c.group != nil }

// account is what one peer or one address group has brought.
type account struct {
	use
	name string
	at   int           // place in the heap of groups
	far  heapOf[entry] // of a group: farthest first
	of   map[*entry]struct{}
}

// use is what is counted.
type use struct{ records, bytes int }

func (u *use) add(records, bytes int) { u.records += records; u.bytes += bytes }

// ledger counts who has brought what.
type ledger struct {
	total  use
	peers  map[peer.ID]*account
	groups map[string]*account
	heavy  heapOf[account] // groups, the one with most bytes first
	due    heapOf[entry]   // all entries, the next due first
}

func newLedger() ledger {
	return ledger{
		peers:  make(map[peer.ID]*account),
		groups: make(map[string]*account),
		heavy: heapOf[account]{
			before: func(a, b *account) bool { return a.bytes > b.bytes },
			place:  func(a *account) *int { return &a.at },
		},
		due: heapOf[entry]{
			before: func(a, b *entry) bool { return a.due().Before(b.due()) },
			place:  func(e *entry) *int { return &e.charge.dueAt },
		},
	}
}

// groupName is the account that bears an entry. Exempt deposits are weighed
// too, each peer by itself, but against no group quota.
func groupName(d Deposit) string {
	if d.Group == "" {
		return "peer " + string(d.From)
	}
	return d.Group
}

func (l *ledger) add(e *entry) {
	group, ok := l.groups[groupName(e.deposit)]
	if !ok {
		group = &account{name: groupName(e.deposit), far: heapOf[entry]{
			before: func(a, b *entry) bool { return bytes.Compare(a.shelf.distance[:], b.shelf.distance[:]) > 0 },
			place:  func(e *entry) *int { return &e.charge.farAt },
		}}
		l.groups[group.name] = group
		l.heavy.push(group)
	}
	by, ok := l.peers[e.deposit.From]
	if !ok {
		by = &account{of: make(map[*entry]struct{})}
		l.peers[e.deposit.From] = by
	}
	e.charge = charge{size: e.size(), group: group, peer: by}
	by.of[e] = struct{}{}
	group.far.push(e)
	l.due.push(e)
	l.count(e, 1, e.charge.size)
}

func (l *ledger) remove(e *entry) {
	group, by := e.charge.group, e.charge.peer
	l.count(e, -1, -e.charge.size)
	l.due.remove(e)
	group.far.remove(e)
	delete(by.of, e)
	if group.records == 0 {
		l.heavy.remove(group)
		delete(l.groups, group.name)
	}
	if by.records == 0 {
		delete(l.peers, e.deposit.From)
	}
	e.charge = charge{}
}

// changed counts an entry anew whose size or due time is another.
func (l *ledger) changed(e *entry) {
	l.count(e, 0, e.size()-e.charge.size)
	e.charge.size = e.size()
	l.due.fix(e)
}

func (l *ledger) count(e *entry, records, bytes int) {
	l.total.add(records, bytes)
	e.charge.peer.add(records, bytes)
	e.charge.group.add(records, bytes)
	l.heavy.fix(e.charge.group)
}

// next is the entry that is due first, nil if there is none.
func (l *ledger) next() *entry { return l.due.first() }

// attach puts an entry on its shelf and into the ledger.
func (h *Holder) attach(e *entry) {
	s := e.shelf
	h.shelves[s.key] = s
	if e.revocation != nil {
		s.revocations = append(s.revocations, e)
	} else {
		s.bindings = append(s.bindings, e)
	}
	h.ledger.add(e)
	h.attachLog(e)
}

// detach forgets an entry, and its shelf when that is empty.
func (h *Holder) detach(e *entry) {
	h.ledger.remove(e)
	h.detachLog(e)
	s := e.shelf
	is := func(o *entry) bool { return o == e }
	s.bindings = slices.DeleteFunc(s.bindings, is)
	s.revocations = slices.DeleteFunc(s.revocations, is)
	if len(s.bindings)+len(s.revocations) == 0 {
		delete(h.shelves, s.key)
	}
}

// admit attaches e within the quotas, or leaves it out with a Limit error. A
// depositor's and a group's own marks give way to what they bring now; what is
// live gives way only when the whole table is full: that of the heaviest group
// first, there the farthest from this node.
func (h *Holder) admit(e *entry) error {
	h.attach(e)
	by, group := e.charge.peer, e.charge.group
	l := &h.limits
	for by.records > l.DepositorRecords || by.bytes > l.DepositorBytes {
		if !h.forgetMark(by.marks()) {
			h.detach(e)
			return overQuota("one peer", by.use, l.DepositorRecords, l.DepositorBytes)
		}
	}
	for e.deposit.Group != "" && (group.records > l.GroupRecords || group.bytes > l.GroupBytes) {
		if !h.forgetMark(group.far.list) {
			h.detach(e)
			return overQuota("one address group (a /24 of IPv4, a /48 of IPv6)", group.use, l.GroupRecords, l.GroupBytes)
		}
	}
	for h.ledger.total.bytes > l.Bytes {
		victim := h.ledger.heavy.first().far.first()
		h.detach(victim)
		if victim == e {
			return holderFull("bytes of records that one node keeps for others", l.Bytes)
		}
	}
	return nil
}

// overQuota names the quota that stood in the way, had being what was left of
// the account without the newcomer.
func overQuota(whose string, had use, records, bytes int) error {
	if had.records >= records {
		return holderFull("records that one node keeps for "+whose, records)
	}
	return holderFull("bytes of records that one node keeps for "+whose, bytes)
}

// holderFull is a quota of a holder, as its depositor is told of it: the
// setting is not the depositor's.
func holderFull(limit string, value int) error {
	return wire.LimitError(limit, int64(value), "").
		WithNext("other nodes may still hold the record; else bind less here, or wait until older records end")
}

// marks lists what a peer has brought that is no longer live.
func (a *account) marks() []*entry {
	var list []*entry
	for e := range a.of {
		if !e.live {
			list = append(list, e)
		}
	}
	return list
}

// forgetMark detaches the mark among entries that would be forgotten first; it
// is false if there is none.
func (h *Holder) forgetMark(entries []*entry) bool {
	var oldest *entry
	var at time.Time
	for _, e := range entries {
		if !e.live && (oldest == nil || e.forget.Before(at)) {
			oldest, at = e, e.forget
		}
	}
	if oldest != nil {
		h.detach(oldest)
	}
	return oldest != nil
}
