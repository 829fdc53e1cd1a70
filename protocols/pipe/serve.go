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
	if !s.limiter.allow(from.id, time.Now()) {
		err := wire.Errorf(wire.Busy, "more than %v requests a second from this peer", s.cfg.Limits.RequestRate).
			WithNext("raise limits.requests")
		s.limited(CapRate, err)
		return Answer{}, err
	}
	var req pb.Request
	if err := wire.ReadMessage(st, &req, MaxRequest); err != nil {
		return Answer{}, wire.Errorf(wire.BadRequest, "request: %w", err)
	}
	// Taken only now, so that nobody holds a slot by sending slowly.
	select {
	case s.serving <- struct{}{}:
		defer func() { <-s.serving }()
	default:
		err := wire.Errorf(wire.Busy, "%d requests are being served", cap(s.serving))
		s.limited(CapServing, err)
		return Answer{}, err
	}
	return s.answer(from, &req)
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
		err = s.answerReplaced(op.Replaced)
		s.trace(EventReplaced, err, 0)
	default:
		err = wire.Errorf(wire.Unsupported, "request of a kind that is not in this version")
	}
	return a, err
}
