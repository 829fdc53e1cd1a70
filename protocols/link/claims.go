package link

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	maxClaims = 4                // of one peer that are judged at a time
	claimTime = 30 * time.Second // that Config.Authorise has
)

// answeredLocked sees to answers that do not come from the node known for the
// far end, or come from a later life of it: these have to show their right, and
// the others count for nothing. It is false for what the machine is to take.
func (a *attachment) answeredLocked(k kind, b []byte, now time.Time) bool {
	theirs := a.leg.Peer() == a.l.far
	switch k {
	case kindRefused:
		r, err := parseRefusal(b)
		if theirs || err != nil {
			return false
		}
		a.l.m.hint = append([]byte(nil), r.hint...)
		a.l.m.distrust(&a.mleg, wire.Errorf(known(r.code), "another node than the link's refused it: %s", r.code), now)
		return true
	case kindResumed:
		r, err := parseResumed(b)
		switch {
		case err != nil, theirs && r.epoch <= a.l.m.farEpoch, !a.l.m.inUse(&a.mleg):
			return false
		case r.epoch <= a.l.m.farEpoch:
			a.l.links.hostile(a.leg.Peer(), wire.Errorf(wire.Forbidden, "a node that link %s was not moved to has answered for it", a.l.id))
			a.l.m.distrust(&a.mleg, errStranger, now)
			return true
		}
		a.answerClaimedLocked(r, now)
		return true
	}
	return false
}

// answerClaimedLocked judges the answer of a later life of the far end.
func (a *attachment) answerClaimedLocked(r resume, now time.Time) {
	m := a.l.m
	c := a.claim(&r)
	yes := func(now time.Time) (refusal, bool) {
		if r.epoch < m.farEpoch || (r.epoch == m.farEpoch && c.To != a.l.far) || !a.mleg.asking || !m.inUse(&a.mleg) {
			return refusal{code: wire.Moved}, false
		}
		if err := m.resumed(&a.mleg, r, now); err != nil {
			a.violatedLocked(err)
		}
		return refusal{}, true
	}
	if !a.judgeLocked(c, r.from, yes) {
		m.distrust(&a.mleg, errClaims, now)
	}
}

// takeUpClaimedLocked judges the RESUME of a later life of the far end.
func (a *attachment) takeUpClaimedLocked(r resume) bool {
	c := a.claim(&r)
	return a.judgeLocked(c, r.from, func(time.Time) (refusal, bool) {
		h := a.l.links
		if verdict, no := a.l.m.judge(r, c.To == a.l.far, h.cfg.Self > c.To); verdict == claimRefused {
			return no, false
		}
		a.takenUpLocked(r)
		return refusal{}, true
	})
}

// judgeLocked begins to judge who claims the far end; yes gives the leg to a
// claim that is right, if nothing has come between. It is false if the peer has
// too many claims already.
func (a *attachment) judgeLocked(c Claim, from uint64, yes func(now time.Time) (refusal, bool)) bool {
	a.judging, a.mleg.in = true, cursor(from)
	return a.l.links.beginClaim(c.To, func() { a.judge(c, yes) })
}

// claim is what a RESUME or RESUMED of a later epoch amounts to. It takes the
// token out of r, whose bytes are not its own.
func (a *attachment) claim(r *resume) Claim {
	token := append([]byte(nil), r.token...)
	r.token = nil
	return Claim{Link: a.l.id, Service: a.l.service, From: a.l.far, To: a.leg.Peer(), Epoch: r.epoch, Token: token, Untaken: a.l.m.claiming}
}

// judge has the right of a far end to go on from another node judged, and then
// gives it the leg: to the first that may, since the epoch is compared again
// when the answer is there. What comes on the leg meanwhile is asked for again.
func (a *attachment) judge(c Claim, yes func(now time.Time) (refusal, bool)) {
	l := a.l
	ctx, cancel := context.WithTimeout(l.links.ctx, claimTime)
	err := l.links.cfg.Authorise(ctx, c)
	cancel()
	l.mu.Lock()
	if a.dead {
		l.mu.Unlock()
		return
	}
	a.judging = false
	at, now := a.mleg.in, time.Now()
	no, taken := refusal{code: wire.CodeOf(err), gen: l.m.highest()}, false
	if err == nil {
		no, taken = yes(now)
	}
	if !taken {
		l.m.distrust(&a.mleg, wire.Errorf(no.code, "another node claimed the far end of the link, and was refused"), now)
		l.unlock(false)
		if !a.mleg.opener {
			a.leg.Refuse(kindRefused, no.append(nil))
		}
		if err != nil { // else it is late, or another was faster
			l.links.hostile(c.To, wire.Errorf(no.code, "a claim to link %s was refused", l.id))
		}
		return
	}
	l.far, l.route.Peer = c.To, c.To
	a.mleg.in = at
	l.m.rewind = true
	l.unlock(false)
	l.links.moved(l, c.To)
}

// beginClaim runs judge on a goroutine of its own, unless the peer has too many
// already.
func (h *Links) beginClaim(p peer.ID, judge func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.judging[p] >= maxClaims {
		return false
	}
	h.judging[p]++
	h.running.Go(func() {
		defer h.endClaim(p)
		judge()
	})
	return true
}

func (h *Links) endClaim(p peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.judging[p]--; h.judging[p] == 0 {
		delete(h.judging, p)
	}
}

// claimFrom begins to judge a RESUME, and gives the leg its owner meanwhile. It
// unlocks l.mu.
func (l *Link) claimFrom(leg *trunk.Leg, r resume) trunk.Owner {
	a := newAttachment(l)
	a.leg = leg
	begun := a.takeUpClaimedLocked(r)
	l.mu.Unlock()
	if !begun {
		return refuse(leg, refusal{code: wire.Busy})
	}
	return a
}

// moved counts a link at the peer that has its far end now.
func (h *Links) moved(l *Link, to peer.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends[l.id] == l {
		h.count(l.counted, -1)
		h.count(to, 1)
		l.counted = to
	}
}
