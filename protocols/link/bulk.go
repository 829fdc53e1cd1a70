package link

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// Bulk is so many bytes, both ways together, within so much time: less than
// that delays nobody much.
const (
	bulkBytes = 4 << 20
	bulkTime  = 4 * time.Second
)

// bulk tells whether a leg carries bulk. Guarded by the link's lock.
type bulk struct {
	bytes uint64 // since then
	since time.Time
}

// heavyLocked is the current leg if it carries bulk and the link should do so on
// a carrier of its own, should this one have other links; nil most of the time.
// The end that makes legs sees to it, for both directions.
func (l *Link) heavyLocked() *attachment {
	m := l.m
	if m.cur == nil || !m.seeks {
		return nil
	}
	a := m.cur.carrier.(*attachment)
	if a.bulk.bytes < bulkBytes {
		return nil
	}
	now := time.Now()
	slow := now.Sub(a.bulk.since) > bulkTime
	a.bulk = bulk{since: now}
	if slow || a.leg.Own() || m.over != nil || m.ask != nil || m.cur.asking || m.frozen || !m.heard {
		return nil
	}
	return a
}

// promote gives the link a carrier of its own, on the path that it has, by an
// ordinary change of legs. It keeps that until it loses the leg. If there are
// too many such carriers it stays where it is.
func (l *Link) promote(p reach.Path) {
	_ = l.attach(l.links.ctx, p, attachOptions{why: WhyBulk, planned: true, own: true})
}
