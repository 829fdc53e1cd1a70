package trunk

import (
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// Stats counts what the trunks of a node have met since New.
type Stats struct {
	Carriers int // there are
	Legs     int // there are

	Late             uint64 // frames and datagrams for legs that were gone
	Violations       uint64 // carriers ended since the peer broke the rules
	RefusedCarriers  uint64 // that came above the cap
	DatagramsDropped uint64 // that this side had no room for
}

// CarrierStat tells of one carrier.
type CarrierStat struct {
	Path     reach.Path
	Outgoing bool // this side opened it
	Own      bool // it has one leg
	Legs     int
	Sent     uint64 // bytes of legs, headers included
	Seen     uint64 // of Sent, that the far side has told to have read
	Received uint64 // bytes of legs
	Since    time.Time
}

type counts struct{ late, violations, refusedCarriers, datagramsDropped atomic.Uint64 }

// Stats tells what was met.
func (t *Trunks) Stats() Stats {
	s := Stats{
		Late: t.counts.late.Load(), Violations: t.counts.violations.Load(),
		RefusedCarriers: t.counts.refusedCarriers.Load(), DatagramsDropped: t.counts.datagramsDropped.Load(),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		s.Carriers += len(l.carriers)
	}
	for _, p := range t.peers {
		s.Legs += int(p.legs.Load())
	}
	return s
}

// Carriers lists the carriers that there are, in no order.
func (t *Trunks) Carriers() []CarrierStat {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []CarrierStat
	for _, l := range t.lines {
		for _, c := range l.carriers {
			all = append(all, c.stat())
		}
	}
	return all
}

func (c *carrier) stat() CarrierStat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CarrierStat{
		Path: c.path, Outgoing: c.outgoing, Own: c.own, Legs: c.legCount(),
		Sent: c.life.written, Seen: c.life.seen, Received: c.received.Load(), Since: c.since,
	}
}
