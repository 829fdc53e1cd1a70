package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/replica"
)

// readRows caps the rows of one Read.
const readRows = 512

// Read returns entries of a log from a counter upwards or downwards, as many as
// are held, until they have about limit bytes, at least one.
func (j *Journal) Read(ctx context.Context, key replica.Key, from uint64, down bool, limit int) ([]replica.Entry, error) {
	j.mu.Lock()
	number := j.logs[key].number
	j.mu.Unlock()
	query := "SELECT counter, record FROM entries WHERE author = ? AND counter >= ? ORDER BY counter LIMIT ?"
	if down {
		query = "SELECT counter, record FROM entries WHERE author = ? AND counter <= ? ORDER BY counter DESC LIMIT ?"
	}
	r, err := j.s.db.QueryContext(ctx, query, number, int64(from), readRows)
	if err != nil {
		return nil, j.s.fail("read log", err)
	}
	defer r.Close()
	var part []replica.Entry
	for size := 0; size < limit && r.Next(); {
		var counter uint64
		var record []byte
		if err := r.Scan(&counter, &record); err != nil {
			return nil, j.s.fail("read log", err)
		}
		e, err := j.s.unseal(key, counter, record)
		if err != nil {
			return nil, err
		}
		part, size = append(part, e), size+len(record)
	}
	if err := r.Err(); err != nil {
		return nil, j.s.fail("read log", err)
	}
	return part, nil
}

// Page returns at most n texts of a conversation, those with the highest places
// before the given one, the newest first. The zero place stands for the end.
func (j *Journal) Page(ctx context.Context, with identity.Principal, before replica.ID, n int) ([]replica.Shown, error) {
	if before == (replica.ID{}) {
		binary.BigEndian.PutUint64(before[:], math.MaxUint64)
	}
	j.mu.Lock()
	number := j.conversations[with].number
	j.mu.Unlock()
	return rows(ctx, j.s, "read history", `SELECT a.device, a.epoch, e.counter, e.place, e.record
		FROM entries e INDEXED BY shown JOIN authors a ON a.number = e.author
		WHERE e.conversation = ? AND e.place < ? AND e.place IS NOT NULL ORDER BY e.place DESC LIMIT ?`, []any{number, before[:], n},
		func(scan func(...any) error) (s replica.Shown, err error) {
			var device, epoch, place, record []byte
			var counter uint64
			if err := scan(&device, &epoch, &counter, &place, &record); err != nil {
				return s, err
			}
			author, err := j.author(device, epoch)
			if err != nil || len(place) != len(s.Place) {
				return s, j.s.damaged(fmt.Errorf("an entry of conversation %d does not parse", number))
			}
			s.Place = replica.ID(place)
			s.Entry, err = j.s.unseal(replica.Key{With: with, Author: author}, counter, record)
			return s, err
		})
}

// Marks returns the highest marks of every device of a conversation.
func (j *Journal) Marks(ctx context.Context, with identity.Principal) ([]replica.Marked, error) {
	j.mu.Lock()
	number := j.conversations[with].number
	j.mu.Unlock()
	return rows(ctx, j.s, "read marks", `SELECT a.device, a.epoch, m.kind, m.device, m.epoch, m.counter
		FROM marks m JOIN authors a ON a.number = m.reader WHERE m.conversation = ? ORDER BY m.kind, m.reader, m.device, m.epoch`, []any{number},
		func(scan func(...any) error) (m replica.Marked, err error) {
			var device, epoch, marked, markedEpoch []byte
			if err := scan(&device, &epoch, &m.Kind, &marked, &markedEpoch, &m.Counter); err != nil {
				return m, err
			}
			if m.Reader, err = j.author(device, epoch); err == nil {
				m.Author, err = j.author(marked, markedEpoch)
			}
			return m, err
		})
}

// State returns the entry that is a conversation's state, and false if it has
// none.
func (j *Journal) State(ctx context.Context, with identity.Principal) (replica.Entry, bool, error) {
	j.mu.Lock()
	number := j.conversations[with].number
	j.mu.Unlock()
	states, err := rows(ctx, j.s, "read state", `SELECT a.device, a.epoch, s.counter, e.record FROM states s
		JOIN authors a ON a.number = s.author JOIN entries e ON e.author = s.author AND e.counter = s.counter WHERE s.conversation = ?`, []any{number},
		func(scan func(...any) error) (e replica.Entry, err error) {
			var device, epoch, record []byte
			var counter uint64
			if err := scan(&device, &epoch, &counter, &record); err != nil {
				return e, err
			}
			author, err := j.author(device, epoch)
			if err != nil {
				return e, err
			}
			return j.s.unseal(replica.Key{With: with, Author: author}, counter, record)
		})
	if err != nil || len(states) == 0 {
		return replica.Entry{}, false, err
	}
	return states[0], true, nil
}

func (j *Journal) author(device, epoch []byte) (a replica.Author, err error) {
	if a.Device, err = identity.PrincipalFromBytes(device); err != nil || len(epoch) != 8 {
		return a, j.s.damaged(fmt.Errorf("an author does not parse"))
	}
	a.Epoch = binary.BigEndian.Uint64(epoch)
	return a, nil
}
