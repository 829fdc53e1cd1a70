package reach

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-yamux/v5"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// firstWrite bounds the data that leaves together with the proposal, in
	// bytes. It is far below any muxer's first window, so that a reader never
	// waits for a writer that flow control holds.
	firstWrite = 16 << 10

	// closeWait is how long Close waits for the far side to agree on the
	// protocol: some implementations drop what they were sent when the answer
	// cannot be written any more.
	closeWait = 5 * time.Second

	// suspicion is how long a host may take to answer a proposal before the
	// path is put in doubt. Hosts answer by themselves, whatever the
	// application does.
	suspicion = time.Second
)

// stream is a stream whose protocol is agreed on lazily: the proposal leaves
// with the first data and the answer is read before the first data, so that
// opening costs no round trip. A deadline that passes meanwhile can be moved
// and the stream used on. Errors are those of the package comment.
type stream struct {
	network.Stream
	id    protocol.ID
	doubt func() // has the path probed; nil for streams that the far side opened
	meter *meter // of a relayed path with limits; nil for any other

	sent    atomic.Bool   // the proposal is out
	since   atomic.Int64  // when that was, in Unix nanoseconds
	sending chan struct{} // semaphore; its holder owns unsent
	unsent  []byte        // of the proposal

	agreed  atomic.Bool   // the answer is in
	reading chan struct{} // semaphore; its holder owns answer
	answer  []byte        // so far

	readShut, writeShut atomic.Bool // by this side
}

// outbound wraps a stream that this side opened.
func outbound(s network.Stream, id protocol.ID, m *meter) *stream {
	return &stream{
		Stream:  s,
		id:      id,
		meter:   m,
		sending: make(chan struct{}, 1),
		unsent:  proposal(id),
		reading: make(chan struct{}, 1),
	}
}

// inbound wraps a stream that the far side opened and the host negotiated.
func inbound(s network.Stream, id protocol.ID, m *meter) *stream {
	in := &stream{Stream: s, id: id, meter: m}
	in.sent.Store(true)
	in.agreed.Store(true)
	return in
}

// Read reads data; the first Read may have to wait for the protocol to be
// agreed on.
func (s *stream) Read(p []byte) (int, error) {
	if !s.agreed.Load() {
		if err := s.agree(); err != nil {
			err = s.explain(err, &s.readShut)
			if err == os.ErrDeadlineExceeded {
				s.suspect()
			}
			return 0, err
		}
	}
	n, err := s.Stream.Read(p)
	s.meter.read(n)
	return n, s.explain(err, &s.readShut)
}

// Write writes data; the first Write takes the proposal along.
func (s *stream) Write(p []byte) (int, error) {
	n := 0
	if !s.sent.Load() {
		var err error
		if n, err = s.propose(p[:min(len(p), firstWrite)]); err != nil || n == len(p) {
			return n, s.explain(err, &s.writeShut)
		}
	}
	m, err := s.Stream.Write(p[n:])
	s.meter.wrote(m)
	return n + m, s.explain(err, &s.writeShut)
}

// propose sends what is left of the proposal, with data after it, and returns
// how much of data was written. It does nothing once the proposal is out.
func (s *stream) propose(data []byte) (int, error) {
	s.sending <- struct{}{}
	defer func() { <-s.sending }()
	if s.sent.Load() {
		return 0, nil
	}
	size := len(s.unsent)
	n, err := s.Stream.Write(append(s.unsent[:size:size], data...))
	s.meter.wrote(n)
	if n < size {
		s.unsent = s.unsent[n:]
		return 0, err
	}
	s.unsent = nil
	s.since.Store(time.Now().UnixNano())
	s.sent.Store(true)
	return n - size, err
}

// agree reads the answer to the proposal.
func (s *stream) agree() error {
	if !s.sent.Load() {
		if _, err := s.propose(nil); err != nil {
			return err
		}
	}
	s.reading <- struct{}{}
	defer func() { <-s.reading }()
	for !s.agreed.Load() {
		need, err := judgeReply(s.answer, s.id)
		if err != nil {
			return err
		}
		if need == 0 {
			s.answer = nil
			s.agreed.Store(true)
			break
		}
		buf := make([]byte, need)
		n, err := s.Stream.Read(buf)
		s.meter.read(n)
		s.answer = append(s.answer, buf[:n]...)
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// CloseWrite ends this side's data. The proposal goes out first if it has not.
func (s *stream) CloseWrite() error {
	if !s.sent.Load() {
		if _, err := s.propose(nil); err != nil {
			return s.explain(err, &s.writeShut)
		}
	}
	s.writeShut.Store(true)
	return s.Stream.CloseWrite()
}

// CloseRead refuses further data.
func (s *stream) CloseRead() error {
	s.readShut.Store(true)
	return s.Stream.CloseRead()
}

// Close ends both directions. What was written is still delivered.
func (s *stream) Close() error {
	if !s.sent.Load() {
		return s.Reset() // the far side has seen nothing of this stream
	}
	s.writeShut.Store(true)
	if !s.agreed.Load() {
		_ = s.Stream.SetReadDeadline(time.Now().Add(closeWait)) // unsupported only where Read cannot block
		_ = s.agree()                                           // a refusal changes nothing about closing
		s.suspect()
	}
	s.readShut.Store(true)
	s.dropDeadline()
	return s.Stream.Close()
}

// Reset drops the stream at both sides.
func (s *stream) Reset() error {
	s.suspect()
	s.readShut.Store(true)
	s.writeShut.Store(true)
	s.dropDeadline()
	return s.Stream.Reset()
}

// ResetWithError drops the stream at both sides and tells the far one why.
func (s *stream) ResetWithError(code network.StreamErrorCode) error {
	s.suspect()
	s.readShut.Store(true)
	s.writeShut.Store(true)
	s.dropDeadline()
	return s.Stream.ResetWithError(code)
}

// dropDeadline removes the read deadline of a stream that ends: over WebRTC a
// goroutine would wait for it though the stream is gone.
func (s *stream) dropDeadline() { _ = s.Stream.SetReadDeadline(time.Time{}) }

// suspect puts the path in doubt if the far side's host owes its answer to the
// proposal. Whoever gives up on the stream calls it.
func (s *stream) suspect() {
	if s.doubt == nil || s.agreed.Load() || !s.sent.Load() || s.readShut.Load() {
		return
	}
	if time.Since(time.Unix(0, s.since.Load())) >= suspicion {
		s.doubt()
	}
}

// explain maps the errors of all muxers to those of the package comment. shut
// tells whether this side ended the direction that failed. Without an error it
// costs nothing: what errors.As fills in would be allocated.
func (s *stream) explain(err error, shut *atomic.Bool) error {
	if err == nil {
		return nil
	}
	return s.inWords(err, shut)
}

func (s *stream) inWords(err error, shut *atomic.Bool) error {
	var word *wire.Error
	switch {
	case shut.Load():
		return net.ErrClosed
	case err == io.EOF, errors.As(err, &word):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, yamux.ErrTimeout):
		return os.ErrDeadlineExceeded
	}
	var reset *network.StreamError
	isReset := errors.As(err, &reset)
	if !isReset || !reset.Remote || s.Conn().IsClosed() {
		if limit := atLimit(s.Conn(), s.meter, err); limit != nil {
			return limit
		}
	}
	if isReset {
		return s.explainReset(reset, err)
	}
	if !isLost(err) && !s.Conn().IsClosed() && (errors.Is(err, network.ErrReset) || err == io.ErrUnexpectedEOF) {
		return err
	}
	return lost(s.Conn(), err)
}

// explainReset puts the codes that a host resets streams with into words.
func (s *stream) explainReset(reset *network.StreamError, err error) error {
	switch {
	case reset.Remote && reset.ErrorCode == network.StreamResourceLimitExceeded:
		return wire.Errorf(wire.Limit, "%s has reached a limit on streams: %w", s.Conn().RemotePeer(), err).
			WithNext("its owner can raise limits.streams_per_peer or limits.streams there")
	case reset.Remote && reset.ErrorCode == network.StreamProtocolNegotiationFailed:
		return notSpoken(s.id, err)
	}
	return err
}

// isLost reports whether err says by itself that the connection is gone.
func isLost(err error) bool {
	var gone *network.ConnError
	return errors.As(err, &gone) || isTimeout(err)
}

// lost says that a connection ended under its user.
func lost(c network.Conn, err error) error {
	return wire.Errorf(wire.Unreachable, "the path to %s over %s is lost: %w", c.RemotePeer(), TransportOfConn(c), err).
		WithNext("ask for a path again")
}
