package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/discovery"
)

// RememberPeers replaces the remembered servers.
func (s *Store) RememberPeers(ctx context.Context, peers []peer.AddrInfo) error {
	if len(peers) > discovery.MaxRemembered {
		peers = peers[:discovery.MaxRemembered]
	}
	return s.tx(ctx, "remember peers", func(t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, "DELETE FROM peers"); err != nil {
			return err
		}
		for i, p := range peers {
			if _, err := t.ExecContext(ctx, "INSERT INTO peers (place, id, addrs) VALUES (?, ?, ?)",
				i, []byte(p.ID), packAddrs(p.Addrs)); err != nil {
				return err
			}
		}
		return nil
	})
}

// RememberedPeers returns what RememberPeers stored last, in the same order.
func (s *Store) RememberedPeers(ctx context.Context) ([]peer.AddrInfo, error) {
	return rows(ctx, s, "remembered peers", "SELECT id, addrs FROM peers ORDER BY place", nil,
		func(scan func(...any) error) (p peer.AddrInfo, err error) {
			var id, addrs []byte
			if err := scan(&id, &addrs); err != nil {
				return p, err
			}
			if p.ID, err = peer.IDFromBytes(id); err != nil {
				return p, s.damaged(err)
			}
			if p.Addrs, err = unpackAddrs(addrs); err != nil {
				return p, s.damaged(err)
			}
			return p, nil
		})
}

// packAddrs is uvarint length ‖ multiaddr, repeated.
func packAddrs(addrs []ma.Multiaddr) []byte {
	b := []byte{}
	for _, a := range addrs {
		raw := a.Bytes()
		b = binary.AppendUvarint(b, uint64(len(raw)))
		b = append(b, raw...)
	}
	return b
}

func unpackAddrs(b []byte) ([]ma.Multiaddr, error) {
	var addrs []ma.Multiaddr
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errors.New("bad list of addresses")
		}
		a, err := ma.NewMultiaddrBytes(b[n : n+int(size)])
		if err != nil {
			return nil, err
		}
		addrs, b = append(addrs, a), b[n+int(size):]
	}
	return addrs, nil
}

// rows runs a query and reads each row.
func rows[T any](ctx context.Context, s *Store, what, query string, args []any, read func(scan func(...any) error) (T, error)) ([]T, error) {
	r, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.fail(what, err)
	}
	defer r.Close()
	var all []T
	for r.Next() {
		v, err := read(r.Scan)
		if err != nil {
			return nil, s.fail(what, err)
		}
		all = append(all, v)
	}
	if err := r.Err(); err != nil {
		return nil, s.fail(what, err)
	}
	return all, nil
}
