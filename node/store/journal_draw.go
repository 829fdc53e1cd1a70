package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// ownEpochs is how many logs of its own a device may begin where others have
// filled a conversation.
const ownEpochs = 64

// draw makes a draft the next entry of this device's log. A log whose last stamp
// lies too far ahead, since the clock was wrong, is left for a new one.
func (t *transaction) draw(ctx context.Context, e *replica.Entry) error {
	c, room := t.conversation(e.With)
	e.Author = replica.Author{Device: t.j.Self, Epoch: c.epoch}
	l, known := t.log(e.Key)
	if !c.written || !known || room && !l.HighID.Stamp().Within(t.now) {
		if !room {
			return wire.LimitError("authors of a conversation", replica.MaxAuthors+ownEpochs, "")
		}
		epoch, err := t.begin(ctx, e.With)
		if err != nil {
			return err
		}
		e.Author.Epoch = epoch
		l = held{Log: replica.Log{Low: 1}}
		t.logs[e.Key] = l
	}
	stamp := max(t.j.clock.Next(t.now), l.HighID.Stamp()+1)
	var random [8]byte
	rand.Read(random[:])
	e.Counter, e.ID = l.High+1, replica.MakeID(stamp, binary.BigEndian.Uint64(random[:]))
	return nil
}

// begin gives this device an epoch in a conversation.
func (t *transaction) begin(ctx context.Context, with identity.Principal) (uint64, error) {
	number, err := t.number(ctx, with)
	if err != nil {
		return 0, err
	}
	var b [8]byte
	rand.Read(b[:])
	epoch := binary.BigEndian.Uint64(b[:])
	changed := t.touched[with]
	changed.number, changed.epoch, changed.begun = number, epoch, true
	t.touched[with] = changed
	_, err = t.tx.ExecContext(ctx, "UPDATE conversations SET epoch = ? WHERE number = ?", b[:], number)
	return epoch, err
}
