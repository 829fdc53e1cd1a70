package pipe

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// RecordOverhead is what a holder counts for a record besides its envelope.
const RecordOverhead = 1 << 10

// DefaultHolderBytes is what a holder keeps in all, unless told otherwise.
const DefaultHolderBytes = 32 << 20

// HolderLimits are the quotas of a Holder. Zero means the default told in each
// comment.
type HolderLimits struct {
	Bytes            int // of all records, each its envelope and RecordOverhead; 32 MiB
	DepositorRecords int // brought by one peer; 2048
	DepositorBytes   int // brought by one peer; 4 MiB
	GroupRecords     int // brought from one address group; 8192
	GroupBytes       int // brought from one address group; 8 MiB
	PipeBinders      int // remembered for one pipe; 64
	PipeRevocations  int // remembered for one pipe; 64
}

func (l *HolderLimits) normalize() {
	setDefault(&l.Bytes, DefaultHolderBytes)
	setDefault(&l.DepositorRecords, 2048)
	setDefault(&l.DepositorBytes, 4<<20)
	setDefault(&l.GroupRecords, 8192)
	setDefault(&l.GroupBytes, 8<<20)
	setDefault(&l.PipeBinders, 64)
	setDefault(&l.PipeRevocations, 64)
}

// Held is one binding as a Holder keeps it.
type Held struct {
	Envelope  []byte
	Binder    identity.Principal
	Seq, Term uint64
	Withdrawn bool
	// Over says that the record's life has passed. The one with the highest
	// term of an exclusive pipe is given even then, since it proves that lower
	// terms are dead.
	Over       bool
	Transports []reach.Transport // of its endpoints
	Unproven   []int             // indexes of endpoints, rising
	Age        time.Duration     // since receipt
}

// Holding is what a Holder has under a key.
type Holding struct {
	Pipe          ID
	Advertisement Advertisement
	Records       []Held   // best first, tombstones too
	Revocations   [][]byte // envelopes
}

// Holder keeps records of other nodes' pipes. It has no clock, lock or
// goroutine of its own: now is given, and callers take turns.
//
// Every binding goes live → mark → forgotten. A mark remembers seq and term
// for HighWater, so that older records are not taken again; it keeps its
// envelope only while that proves the highest term of an exclusive pipe.
//
// Of an account that owns pipes the winning device log is kept as long as
// anything of them, marks too. One record bears it, and is charged for it.
type Holder struct {
	self    wire.Key // its place
	limits  HolderLimits
	shelves map[wire.Key]*shelf
	logs    map[identity.Principal]*heldLog
	ledger  ledger
}

// NewHolder returns an empty Holder of a node. Its place in the key space is
// the SHA-256 of self's bytes.
func NewHolder(self peer.ID, limits HolderLimits) *Holder {
	limits.normalize()
	return &Holder{
		self:    wire.Place([]byte(self)),
		limits:  limits,
		shelves: make(map[wire.Key]*shelf),
		logs:    make(map[identity.Principal]*heldLog),
		ledger:  newLedger(),
	}
}

// Put stores a record that OpenRecord has verified. Putting the same bytes
// again refreshes them. Errors:
//
//   - Forbidden: a binding that another than its binder brings, one whose
//     capability is revoked, or a record by a device that its account has
//     revoked.
//   - BadRequest: issued more than Skew ahead of now.
//   - Expired: issued more than Skew ago, its capability expired, or its
//     binder has stored one with the same or a higher seq here.
//   - Taken: an exclusive pipe is bound by a record that beats it.
//   - Limit: a quota is full.
func (h *Holder) Put(d Deposit, r Record, now time.Time) (Outcome, error) {
	h.Sweep(now)
	switch {
	case r.Binding != nil:
		return h.putBinding(d, *r.Binding, r.Envelope, now)
	case r.Revocation != nil:
		return h.putRevocation(d, *r.Revocation, r.Envelope, now)
	}
	return Outcome{}, wire.Errorf(wire.BadRequest, "record is empty")
}

// Get returns what is held under a key, and false if the pipe is unknown here.
// A Holding without records still tells pipe and advertisement.
func (h *Holder) Get(key wire.Key, now time.Time) (Holding, bool) {
	h.Sweep(now)
	s, ok := h.shelves[key]
	if !ok {
		return Holding{}, false
	}
	held := Holding{Pipe: s.pipe, Advertisement: s.advertisement}
	for _, e := range s.ordered() {
		if e.envelope != nil {
			held.Records = append(held.Records, e.held(now))
		}
	}
	for _, e := range s.revocations {
		held.Revocations = append(held.Revocations, e.envelope)
	}
	return held, true
}

// Sweep ends the lives that are over by now and returns when the next one
// ends; the zero time if nothing is held. Put and Get sweep too.
func (h *Holder) Sweep(now time.Time) time.Time {
	for {
		e := h.ledger.next()
		if e == nil {
			return time.Time{}
		}
		if e.due().After(now) {
			return e.due()
		}
		if e.live && e.revocation == nil {
			h.toMark(e)
		} else {
			h.detach(e)
		}
	}
}

// Size returns how many records and marks are held and the bytes counted for
// them.
func (h *Holder) Size() (records, bytes int) { return h.ledger.total.records, h.ledger.total.bytes }

// shelf is all that is held of one pipe.
type shelf struct {
	pipe          ID
	advertisement Advertisement
	key           wire.Key
	distance      wire.Key // from the holder to key
	bindings      []*entry // live ones and marks, one for each binder
	revocations   []*entry
}

func (h *Holder) shelf(id ID, adv Advertisement) *shelf {
	key := id.Key()
	if s, ok := h.shelves[key]; ok {
		return s
	}
	return &shelf{pipe: id, advertisement: adv, key: key, distance: key.XOR(h.self)}
}

func (s *shelf) exclusive() bool { return s.advertisement.Binders == Exclusive }

// of returns the entry of a binder, nil if there is none.
func (s *shelf) of(binder identity.Principal) *entry {
	for _, e := range s.bindings {
		if e.rank.binder == binder {
			return e
		}
	}
	return nil
}

// top is the entry that beats all others, marks too; nil for an empty shelf
// and on pipes with many binders.
func (s *shelf) top() *entry {
	var best *entry
	if !s.exclusive() {
		return nil
	}
	for _, e := range s.bindings {
		if best == nil || e.rank.beats(best.rank, true) {
			best = e
		}
	}
	return best
}

// revoked returns the entry that revokes a capability, nil if none does.
func (s *shelf) revoked(nonce identity.Nonce) *entry {
	for _, e := range s.revocations {
		if e.revocation.Nonce == nonce {
			return e
		}
	}
	return nil
}

// ordered lists the bindings best first: in the pipe's order, or the last
// received first where there is none.
func (s *shelf) ordered() []*entry {
	list := slices.Clone(s.bindings)
	slices.SortStableFunc(list, func(a, b *entry) int {
		switch {
		case !s.exclusive():
			return cmp.Compare(b.received.UnixNano(), a.received.UnixNano())
		case a.rank.beats(b.rank, true):
			return -1
		}
		return 1
	})
	return list
}

// entry is one binding, live or as a mark, or one revocation.
type entry struct {
	shelf    *shelf
	sum      [sha256.Size]byte // of a binding's body
	envelope []byte            // nil in a mark that proves nothing
	live     bool
	received time.Time
	ends     time.Time // of its life, by the holder's clock
	forget   time.Time // of its mark

	rank       rank // of a binding
	withdrawn  bool
	grant      identity.Nonce // of the capability it rests on; zero if it is the owner's
	transports []reach.Transport
	unproven   []int

	revocation *Revocation // set in a revocation

	speaker     // for an account that owns the pipe, with the log of it that wins
	bears   int // bytes of that log, if the entry is the one that bears it

	deposit Deposit
	charge  charge
}

// due is when the entry's state changes.
func (e *entry) due() time.Time {
	if e.live {
		return e.ends
	}
	return e.forget
}

func (e *entry) size() int { return len(e.envelope) + e.bears + RecordOverhead }

// last is when the entry is forgotten.
func (e *entry) last() time.Time {
	if e.revocation != nil {
		return e.ends
	}
	return e.forget
}

func (e *entry) serves() bool { return e.live && !e.withdrawn }

func (e *entry) held(now time.Time) Held {
	return Held{
		Envelope: e.envelope, Binder: e.rank.binder, Seq: e.rank.seq, Term: e.rank.term,
		Withdrawn: e.withdrawn, Over: !e.live, Transports: e.transports, Unproven: e.unproven,
		Age: max(0, now.Sub(e.received)),
	}
}
