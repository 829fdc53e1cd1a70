package pipe

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// request puts one request to a node and returns its answer. A refusal of the
// whole request is returned with the answer, since it still may name closer
// peers.
func (s *Service) request(ctx context.Context, p peer.AddrInfo, req *pb.Request) (Answer, error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.RequestTimeout)
	defer cancel()
	a, err := s.exchange(ctx, p, req)
	if err == nil {
		err = a.Err()
	}
	s.trace(EventRequest, err, time.Since(started))
	return a, err
}

func (s *Service) exchange(ctx context.Context, p peer.AddrInfo, req *pb.Request) (Answer, error) {
	st, path, err := s.requestStream(ctx, p)
	if err != nil {
		return Answer{}, err
	}
	stop := context.AfterFunc(ctx, func() { st.Reset() })
	defer stop()
	var m pb.Answer
	sent := time.Now()
	// A node that turns the request away may not read it: its answer counts,
	// whatever became of the writing.
	writeErr := errors.Join(wire.WriteMessage(st, req, MaxRequest), st.CloseWrite())
	if err := wire.ReadMessage(st, &m, MaxAnswer); err != nil {
		st.Reset()
		if ctx.Err() == context.DeadlineExceeded {
			s.doubt(path)
		}
		return Answer{}, requestError(ctx, p.ID, errors.Join(err, writeErr))
	}
	st.Close()
	a, err := ParseAnswer(&m, s.cfg.Self)
	s.clocks.note(p.ID, a.Clock, sent, time.Now())
	return a, err
}

// requestStream opens a stream, a second time when the path at hand turns out
// to be dead.
func (s *Service) requestStream(ctx context.Context, p peer.AddrInfo) (st network.Stream, path reach.Path, err error) {
	for range 2 {
		path, _, err = s.cfg.Reach.Path(ctx, reach.Want{Peer: p.ID, Addrs: p.Addrs, AllowRelay: true})
		if err != nil {
			return nil, path, err
		}
		st, err = path.OpenStream(ctx, BindingProtocol(s.cfg.Overlay))
		if err == nil || wire.CodeOf(err) != wire.Unreachable {
			break
		}
	}
	return st, path, err
}

// doubt has a path looked into on which somebody kept silent, and all others to
// the same node: what has killed one may have killed them.
func (s *Service) doubt(p reach.Path) {
	if p.IsZero() {
		return
	}
	for _, other := range s.cfg.Reach.Paths(p.Peer()) {
		s.cfg.Reach.Doubt(other)
	}
}

func requestError(ctx context.Context, p peer.ID, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return wire.Errorf(wire.Timeout, "node %s did not answer in time", p)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, network.ErrReset):
		return wire.Errorf(wire.Unreachable, "node %s gave no answer: %w", p, err)
	}
	return err
}

// query puts a query to a node. q's nonce and proof are made here. An answer
// to another question is hostile and dropped.
func (s *Service) query(ctx context.Context, p peer.AddrInfo, id ID, q Query) (Answer, error) {
	q.Nonce = identity.NewNonce()
	q.Proof = QueryProof(id, q.Nonce[:], s.cfg.Self, p.ID)
	a, err := s.request(ctx, p, q.Message())
	if err == nil && a.Nonce != q.Nonce {
		err = wire.Errorf(wire.BadRequest, "node %s answered what nobody asked", p.ID)
		s.hostile(err)
		return Answer{}, err
	}
	return a, err
}

// store brings records, of one pipe or of many, to a node.
func (s *Service) store(ctx context.Context, p peer.AddrInfo, key wire.Key, records []Record) (Answer, error) {
	m := &pb.Store{Key: key[:]}
	for _, r := range records {
		m.Records = append(m.Records, r.Message())
	}
	a, err := s.request(ctx, p, &pb.Request{Op: &pb.Request_Store{Store: m}})
	if err == nil && len(a.Results) != len(records) {
		err = wire.Errorf(wire.BadRequest, "node %s answered %d results for %d records", p.ID, len(a.Results), len(records))
		s.hostile(err)
	}
	return a, err
}
