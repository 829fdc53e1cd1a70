package link

import (
	"cmp"
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Frozen is an end that is about to move to another node. It does nothing until
// Thaw or Moved, and its time of grace stands still; the far side is told to
// come again.
type Frozen struct {
	l *Link
	s state
}

// Freeze stops the end at one cut and gives its state. Calls wait meanwhile.
// Its error is why the link has ended, Busy if it is frozen already, or NotReady
// as long as the far side has not taken what this end opened.
func (l *Link) Freeze() (*Frozen, error) {
	l.mu.Lock()
	defer l.unlock(false)
	switch {
	case l.m.over != nil:
		return nil, l.m.over
	case l.m.frozen:
		return nil, wire.Errorf(wire.Busy, "the link is being moved already")
	case !l.m.heard:
		return nil, wire.Errorf(wire.NotReady, "the far side has not taken the link yet")
	}
	l.m.freeze()
	return &Frozen{l, l.m.export(l.links.cfg.Self, l.far)}, nil
}

// State is what Import takes: at most what was received and not read, what was
// written and not safe, and about 300 bytes. It holds the application's data in
// clear.
func (f *Frozen) State() []byte { return f.s.append(nil) }

// Thaw lets the end go on here: nobody else will.
func (f *Frozen) Thaw() {
	f.l.mu.Lock()
	f.l.m.thaw(time.Now())
	f.l.unlock(false)
}

// Reclaim has the end go on here after all, though another node may have been
// given it: at the epoch that was given out, or a later one, with a token that
// lets this node have it. Of those who claim one epoch the far side takes the
// first; the link ends with Forbidden for the others.
//
// Errors: BadRequest for an epoch that this end had before, TooLarge for the
// token.
func (f *Frozen) Reclaim(epoch uint64, token []byte) error {
	switch {
	case epoch <= f.s.epoch || epoch > maxOffset:
		return errEpoch(epoch, f.s.epoch)
	case len(token) > maxToken:
		return errToken(token)
	}
	f.l.mu.Lock()
	f.l.m.reclaim(epoch, append([]byte(nil), token...), time.Now())
	f.l.unlock(false)
	return nil
}

func errEpoch(epoch, had uint64) error {
	return wire.Errorf(wire.BadRequest, "an end of epoch %d cannot go on at epoch %d", had, epoch)
}

func errToken(token []byte) error {
	return wire.Errorf(wire.TooLarge, "a token of %d bytes, at most %d are allowed", len(token), maxToken)
}

// Moved ends the end here: another node has it. Whoever still asks this one
// gets hint, at most 1 KiB, whose meaning is Config.Follow's.
func (f *Frozen) Moved(hint []byte) {
	f.l.mu.Lock()
	f.l.m.exported(append([]byte(nil), hint[:min(len(hint), maxHint)]...))
	f.l.unlock(false)
}

// ImportOptions is what Import may be told.
type ImportOptions struct {
	Route Route  // where the far end is found
	Token []byte // shows the far side that this node may have the end, at most 2 KiB

	// Epoch is what the token is for; 0 is one above that of the state. It is
	// higher if others have been given the state before. No two nodes may
	// import it at one epoch while the far end moves too.
	Epoch uint64
}

// Import goes on with an end that another node exported: the link is as it was
// there, and the far side, once it has judged the token, sees no more than a
// change of legs. It does not wait for that.
//
// Errors: BadRequest for what is no exported end or an epoch that it had before, Limit for one beyond this
// node's means, Taken if this node has that link already.
func (h *Links) Import(exported []byte, o ImportOptions) (*Link, error) {
	s, err := parseState(exported, h.cfg.Window)
	switch {
	case err != nil:
		return nil, err
	case len(o.Token) > maxToken:
		return nil, errToken(o.Token)
	case o.Epoch != 0 && (o.Epoch <= s.epoch || o.Epoch > maxOffset):
		return nil, errEpoch(o.Epoch, s.epoch)
	case !isPeer(s.far):
		return nil, wire.Errorf(wire.BadRequest, "an exported link whose far end is at no peer")
	case h.find(s.id) != nil:
		return nil, errTaken
	}
	if o.Route.Peer == "" {
		o.Route.Peer = s.far
	}
	grace := min(time.Duration(min(s.grace, uint64(h.cfg.MaxGrace/time.Millisecond)))*time.Millisecond, h.cfg.MaxGrace)
	need := s.beyondFirst()
	if !h.memory.reserve(need) {
		return nil, wire.LimitError("memory of links", int64(h.cfg.Memory), "limits.link_memory")
	}
	m := restore(s, h.settings(s.id, s.service, s.has(stateDialer), grace))
	m.claim(cmp.Or(o.Epoch, s.epoch+1), append([]byte(nil), o.Token...))
	l := h.newLink(m, s.far, o.Route)
	if err := h.add(l); err != nil {
		m.in.free()
		m.out.q.free()
		h.memory.release(need)
		return nil, err
	}
	l.mu.Lock()
	l.m.detach(errImported, time.Now())
	l.unlock(false)
	return l, nil
}

// isPeer reports that an exported end names a node.
func isPeer(p peer.ID) bool {
	_, err := peer.IDFromBytes([]byte(p))
	return err == nil
}

// follow goes after a far end that has moved.
func (h *Links) follow(ctx context.Context, l *Link) (reach.Path, error) {
	l.mu.Lock()
	r, hint := l.route, l.m.hint
	l.mu.Unlock()
	if h.cfg.Follow == nil || len(hint) == 0 {
		return reach.Path{}, wire.Errorf(wire.Moved, "the far end has moved, and did not say where")
	}
	return h.cfg.Follow(ctx, r, hint)
}
