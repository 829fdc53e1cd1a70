package pipe

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// displaced judges a record that a holder gave up for this one, and tells its
// binder, once.
func (p *publication) displaced(envelope []byte) {
	own := p.record.Binding
	if own == nil {
		return
	}
	b, err := p.s.openBindingOf(own.Pipe, envelope, time.Now())
	if err != nil {
		p.s.hostile(err)
		return
	}
	if b.Advertisement.Binders != Exclusive {
		p.s.hostile(wire.Errorf(wire.BadRequest, "holder says that a binder of a pipe of many is displaced"))
		return
	}
	id, ok := b.Binder.Peer()
	switch {
	case !ok || id == p.s.cfg.Self || own.Withdrawn || p.s.voids(b):
		return
	case p.auto && (b.Term > own.Term || b.Term == own.Term && b.LiveAt(time.Now())):
		p.block(b, envelope)
		return
	case p.heard.has(id, b.Seq):
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[id] {
		return
	}
	p.told[id] = true
	p.telling++
	p.wg.Go(func() { p.tell(peer.AddrInfo{ID: id, Addrs: unseen(Found{Binding: b}).few()}, b.Seq) })
}

// tell lets the old binder know, and waits until it has stopped to serve.
func (p *publication) tell(to peer.AddrInfo, seq uint64) {
	ctx, cancel := context.WithTimeout(p.ctx, replacedTime)
	defer cancel()
	_, err := p.s.request(ctx, to, &pb.Request{Op: &pb.Request_Replaced{
		Replaced: &pb.Replaced{Binding: p.record.Envelope},
	}})
	if err != nil {
		p.s.cfg.Log.Info("the old binder did not acknowledge that it is replaced", "pipe", p.record.Pipe(), "binder", to.ID, "error", err)
	} else {
		p.heard.add(to.ID, seq)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.telling--
	p.checkLocked()
}

// acknowledged remembers which binders have said that they are replaced, so
// that each hears of a move once: an old record of theirs may turn up again.
type acknowledged struct {
	mu  sync.Mutex
	seq map[peer.ID]uint64 // of the newest of their records that is known to be over
}

// maxAcknowledged bounds them; whoever comes later may be told twice.
const maxAcknowledged = 64

func (a *acknowledged) has(p peer.ID, seq uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seq[p] >= seq
}

func (a *acknowledged) add(p peer.ID, seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seq == nil {
		a.seq = make(map[peer.ID]uint64)
	}
	if _, ok := a.seq[p]; ok || len(a.seq) < maxAcknowledged {
		a.seq[p] = max(a.seq[p], seq)
	}
}
