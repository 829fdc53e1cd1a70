package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// asker is who sent a request, as the connection shows it.
type asker struct {
	id     peer.ID
	remote ma.Multiaddr
}

// group is the address group that quotas and rates count, as in a Deposit.
func (a asker) group() string { return DepositFrom(a.id, a.remote).Group }

// serveRequest answers the one request of a stream.
func (s *Service) serveRequest(st network.Stream) {
	_ = st.SetDeadline(time.Now().Add(s.cfg.Limits.RequestTimeout))
	from := asker{st.Conn().RemotePeer(), st.Conn().RemoteMultiaddr()}
	a, err := s.admitted(from, st)
	if err != nil {
		a.Code, a.Reason = wire.CodeOf(err), reasonOf(err)
	}
	a.Clock = time.Now()
	if err := wire.WriteMessage(st, a.Message(), MaxAnswer); err != nil {
		st.Reset()
		return
	}
	st.Close()
}

// admitted reads and answers a request, if the asker has not had too many.
func (s *Service) admitted(from asker, st network.Stream) (Answer, error) {
	if err := s.limiter.allow(from.id, from.group(), 1, time.Now()); err != nil {
		s.limited(CapRate, err)
		return Answer{}, err
	}
	var req pb.Request
	if err := wire.ReadMessage(st, &req, MaxRequest); err != nil {
		return Answer{}, wire.Errorf(wire.BadRequest, "request: %w", err)
	}
	// Taken only now, so that nobody holds a place by sending slowly.
	release, err := s.serveOne(from, len(req.GetStore().GetRecords()))
	if err != nil {
		return Answer{}, err
	}
	defer release()
	return s.answer(from, &req)
}

// serveOne takes a place among the requests that are being served. Records of
// a Store beyond the first count as requests of their own.
func (s *Service) serveOne(from asker, records int) (release func(), err error) {
	if records > 1 {
		if err := s.limiter.allow(from.id, from.group(), records-1, time.Now()); err != nil {
			s.limited(CapRate, err)
			return nil, err
		}
	}
	of := shareOf(from.id, from.group())
	if most, ok := s.serving.take(of); !ok {
		err := wire.Errorf(wire.Busy, "%d requests are being served, of which a peer may have %d", s.serving.used(), most)
		s.limited(CapServing, err)
		return nil, err
	}
	return func() { s.serving.give(of) }, nil
}

func (s *Service) answer(from asker, req *pb.Request) (a Answer, err error) {
	switch op := req.GetOp().(type) {
	case *pb.Request_Query:
		a, err = s.answerQuery(from, op.Query)
		s.trace(EventQuery, err, 0)
	case *pb.Request_Store:
		a, err = s.answerStore(from, op.Store)
		s.trace(EventStore, err, 0)
	case *pb.Request_Replaced:
		err = s.answerReplaced(from, op.Replaced)
		s.trace(EventReplaced, err, 0)
	default:
		err = wire.Errorf(wire.Unsupported, "request of a kind that is not in this version")
	}
	return a, err
}
