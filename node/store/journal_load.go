package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/replica"
)

// load reads what is held of every log.
func (j *Journal) load(ctx context.Context) error {
	accounts := map[int64]identity.Principal{}
	if _, err := rows(ctx, j.s, "read conversations", "SELECT number, account, epoch, bytes FROM conversations", nil,
		func(scan func(...any) error) (none struct{}, err error) {
			var c conversation
			var account, epoch []byte
			if err := scan(&c.number, &account, &epoch, &c.bytes); err != nil {
				return none, err
			}
			with, err := identity.PrincipalFromBytes(account)
			if err != nil || epoch != nil && len(epoch) != 8 {
				return none, j.s.damaged(fmt.Errorf("conversation %d does not parse", c.number))
			}
			if c.written = epoch != nil; c.written {
				c.epoch = binary.BigEndian.Uint64(epoch)
			}
			accounts[c.number], j.conversations[with] = with, c
			return none, nil
		}); err != nil {
		return err
	}
	_, err := rows(ctx, j.s, "read logs", "SELECT number, conversation, device, epoch, low, high, low_id, high_id, low_place, high_place FROM authors", nil,
		func(scan func(...any) error) (none struct{}, err error) {
			var l held
			var number int64
			var device, epoch, lowID, highID []byte
			if err := scan(&l.number, &number, &device, &epoch, &l.Low, &l.High, &lowID, &highID, &l.LowPlace, &l.HighPlace); err != nil {
				return none, err
			}
			with, known := accounts[number]
			d, err := identity.PrincipalFromBytes(device)
			if err != nil || !known || len(epoch) != 8 || len(lowID) != len(l.LowID) || len(highID) != len(l.HighID) {
				return none, j.s.damaged(fmt.Errorf("author %d does not parse", l.number))
			}
			l.LowID, l.HighID = replica.ID(lowID), replica.ID(highID)
			key := replica.Key{With: with, Author: replica.Author{Device: d, Epoch: binary.BigEndian.Uint64(epoch)}}
			c := j.conversations[with]
			c.authors++
			j.conversations[with], j.logs[key] = c, l
			j.clock.Observe(l.HighID.Stamp(), j.Now())
			return none, nil
		})
	return err
}

func epochBytes(epoch uint64) []byte { return binary.BigEndian.AppendUint64(nil, epoch) }
