package link

import (
	"context"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// How many datagrams wait for a reader; the oldest is dropped.
const (
	keptDatagrams   = 64
	unreadDatagrams = 4 // of a link that nobody has read any of
)

// datagrams is what came beside the stream, unreliable and in any order.
// Guarded by the link's lock.
type datagrams struct {
	waiting [][]byte
	wanted  bool          // ReceiveDatagram was called
	news    chan struct{} // closed and renewed when one comes; nil until somebody waits
}

func (d *datagrams) put(b []byte) {
	most := unreadDatagrams
	if d.wanted {
		most = keptDatagrams
	}
	if len(d.waiting) == most {
		d.waiting = append(d.waiting[:0], d.waiting[1:]...)
	}
	d.waiting = append(d.waiting, append([]byte(nil), b...))
	if d.news != nil {
		close(d.news)
		d.news = nil
	}
}

// SendDatagram sends b beside the stream: it may be lost, doubled by no one, and
// overtake or be overtaken. The far side's ReceiveDatagram gets it. Unreachable
// while no leg carries the link; TooLarge above what the path takes.
func (l *Link) SendDatagram(b []byte) error {
	l.mu.Lock()
	err := l.usable(&l.writes)
	if err == nil && l.m.over != nil {
		err = l.m.over
	}
	cur := l.m.cur
	l.mu.Unlock()
	switch {
	case err != nil:
		return err
	case cur == nil:
		return wire.Errorf(wire.Unreachable, "no leg carries the link now")
	}
	return cur.carrier.(*attachment).leg.SendDatagram(b)
}

// ReceiveDatagram waits for the next datagram. Its error is that of ctx, or why
// the link ended.
func (l *Link) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	for {
		l.mu.Lock()
		if err := l.usable(&l.reads); err != nil {
			l.mu.Unlock()
			return nil, err
		}
		l.data.wanted = true
		if d := &l.data; len(d.waiting) > 0 {
			b := d.waiting[0]
			d.waiting[0] = nil
			if d.waiting = d.waiting[1:]; len(d.waiting) == 0 {
				d.waiting = nil
			}
			l.mu.Unlock()
			return b, nil
		}
		if err := l.m.over; err != nil {
			l.mu.Unlock()
			return nil, err
		}
		if l.data.news == nil {
			l.data.news = make(chan struct{})
		}
		news := l.data.news
		l.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.Done():
		}
	}
}
