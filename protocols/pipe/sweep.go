package pipe

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sweepLimits bound one sweep.
type sweepLimits struct {
	alpha     int           // messages out that hold a slot; three times as many in all
	k         int           // servers nearest to a key that get its record
	spare     int           // servers beyond these that get it too, if they get a message
	records   int           // in one message
	bytes     int           // of records in one message
	opinions  int           // answers that tell of each record's neighbourhood, where there are so many
	known     int           // candidates kept for each record that have not been asked
	servers   int           // servers known in all that others alone have named
	slowAfter time.Duration // a message out for so long gives its slot and its place to others
	busyPause time.Duration // for a server that is busy, doubled each time
	busyTries int           // after so many times it counts as failed
}

func defaultSweepLimits() sweepLimits {
	return sweepLimits{
		alpha: 10, k: Replication, spare: Replication / 5, records: MaxStoreRecords, bytes: MaxRequest - 1<<10,
		opinions: 3, known: 4 * Replication, servers: 8192, slowAfter: 2 * time.Second,
		busyPause: time.Second, busyTries: 5,
	}
}

// sweep decides who gets which of many records, in how few messages. It is
// pure: no clock, no lock, no network. The caller feeds it what happened, with
// the time since the sweep began, and sends what step says.
//
// For each record it keeps the servers known near the key, as a walk does; but
// a server is asked once, with every record for which it is among the k
// nearest. A Store names closer servers for one key alone: these answers are
// spread over the records, and whom one of them names is a candidate for all.
//
//	record and server   unsent ──letter──▶ under way ─┬─▶ held
//	                       ▲                          ├─▶ declined: the next nearest takes its place
//	                       └──a new address: once─────┴─▶ the server failed: so it does
type sweep struct {
	sweepLimits
	self peer.ID
	// networkOf is asked for the public network of a server that is known at
	// first hand; nil means none is known.
	networkOf func(peer.ID) string
	records   []*sweptRecord // in key order
	byID      map[int]*sweptRecord
	servers   map[peer.ID]*sweptServer
	voices    map[string]*voice // who has named servers
	hearsay   int               // of the servers, how many others alone have named
	out       []*letter
	sent      int // letters so far
}

// sweptRecord is one record to be held by the servers nearest to its key.
type sweptRecord struct {
	id     int // the caller's
	key    wire.Key
	size   int              // bytes in a message
	places []*sweptPlace    // nearest first
	left   bool             // out of the sweep
	unsent int              // of the places, how many have not been asked
	cut    bool             // candidates had to give way
	spoken map[peer.ID]bool // servers that told of its neighbourhood, or were asked to
}

// sweptServer is one server that the sweep knows of.
type sweptServer struct {
	id      peer.ID
	addrs   []ma.Multiaddr
	place   wire.Key
	where   reach.Whereabouts // seen once it is known at first hand
	proven  bool              // known at first hand: to this node before, or by its answer
	by      *voice            // who named it first; nil if it is proven
	failed  bool              // could not be asked
	retried bool              // has had its second chance
	out     *letter           // under way to it
	busy    int               // times that it turned a letter away
	rest    time.Duration     // it is left in peace until then
	all     bool              // named all that it knows
}

// letter is one message: records for one server, and the record about whose
// key it is asked.
type letter struct {
	to      *sweptServer
	about   *sweptRecord
	records []*sweptPlace
	since   time.Duration
	slow    bool
}

// info is whom to send the letter to.
func (l *letter) info() peer.AddrInfo {
	return peer.AddrInfo{ID: l.to.id, Addrs: slices.Clone(l.to.addrs)}
}

// ids are the caller's numbers of the records in the letter.
func (l *letter) ids() []int {
	out := make([]int, len(l.records))
	for i, p := range l.records {
		out[i] = p.record.id
	}
	return out
}

func newSweep(self peer.ID, l sweepLimits) *sweep {
	return &sweep{sweepLimits: l, self: self, byID: make(map[int]*sweptRecord), servers: make(map[peer.ID]*sweptServer), voices: make(map[string]*voice)}
}

// addRecord takes a record in, under a number of the caller's. All records come
// before the first step.
func (m *sweep) addRecord(id int, key wire.Key, size int) {
	r := &sweptRecord{id: id, key: key, size: size, spoken: make(map[peer.ID]bool)}
	at, _ := slices.BinarySearchFunc(m.records, r, func(a, b *sweptRecord) int {
		return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(a.id, b.id))
	})
	m.records = slices.Insert(m.records, at, r)
	m.byID[id] = r
	for _, s := range m.servers {
		m.place(r, s)
	}
}

// dropRecord takes a record out: it is not sent any more.
func (m *sweep) dropRecord(id int) { m.byID[id].left = true }

// learn adds addresses. A server that failed gets a second chance by a new one,
// so that a liar who is first to name it cannot hide it behind dead addresses.
func (m *sweep) learn(s *sweptServer, addrs []ma.Multiaddr) {
	s.where.Tell(addrs)
	fresh := false
	for _, a := range addrs {
		if len(s.addrs) < 2*MaxPeerAddrs && !slices.ContainsFunc(s.addrs, a.Equal) {
			s.addrs = append(s.addrs, a)
			fresh = true
		}
	}
	if fresh && s.failed && !s.retried {
		s.failed, s.retried = false, true
		for _, r := range m.records {
			m.place(r, s)
		}
	}
}
