package muxer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-yamux/v5"
)

// conn is libp2p's connection over a yamux session, except for the
// streams: those of libp2p do not tell their numbers.
type conn struct {
	network.MuxedConn
	session *yamux.Session
	windows *windows
}

// OpenStream implements network.MuxedConn.
func (c *conn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	s, err := c.session.OpenStream(ctx)
	if err != nil {
		return nil, explain(err)
	}
	c.windows.watch(s.StreamID())
	return &stream{s, c.windows}, nil
}

// AcceptStream implements network.MuxedConn.
func (c *conn) AcceptStream() (network.MuxedStream, error) {
	s, err := c.session.AcceptStream()
	if err != nil {
		return nil, explain(err)
	}
	c.windows.watch(s.StreamID())
	return &stream{s, c.windows}, nil
}

// stream is a stream of a yamux session with libp2p's errors.
type stream struct {
	yamux   *yamux.Stream
	windows *windows
}

// Read reads at most readMost bytes.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.yamux.Read(b[:min(len(b), readMost)])
	if err != nil && err != yamux.ErrTimeout {
		s.windows.forget(s.yamux.StreamID())
	}
	return n, explain(err)
}

func (s *stream) Write(b []byte) (int, error) {
	n, err := s.yamux.Write(b)
	return n, explain(err)
}

func (s *stream) Close() error {
	s.windows.forget(s.yamux.StreamID())
	return s.yamux.Close()
}

// Reset implements network.MuxedStream.
func (s *stream) Reset() error { return s.ResetWithError(0) }

// ResetWithError implements network.MuxedStream.
func (s *stream) ResetWithError(code network.StreamErrorCode) error {
	s.windows.forget(s.yamux.StreamID())
	return s.yamux.ResetWithError(uint32(code))
}

// CloseRead implements network.MuxedStream.
func (s *stream) CloseRead() error {
	s.windows.forget(s.yamux.StreamID())
	return s.yamux.CloseRead()
}

// CloseWrite implements network.MuxedStream.
func (s *stream) CloseWrite() error { return s.yamux.CloseWrite() }

func (s *stream) SetDeadline(t time.Time) error      { return s.yamux.SetDeadline(t) }
func (s *stream) SetReadDeadline(t time.Time) error  { return s.yamux.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.yamux.SetWriteDeadline(t) }

// explain puts an error of go-yamux into libp2p's terms, as libp2p does. Without
// an error it costs nothing: what errors.As fills in would be allocated.
func explain(err error) error {
	if err == nil {
		return nil
	}
	return inTerms(err)
}

func inTerms(err error) error {
	var reset *yamux.StreamError
	var away *yamux.GoAwayError
	switch {
	case errors.As(err, &reset):
		return &network.StreamError{Remote: reset.Remote, ErrorCode: network.StreamErrorCode(reset.ErrorCode), TransportError: err}
	case errors.As(err, &away):
		return &network.ConnError{Remote: away.Remote, ErrorCode: network.ConnErrorCode(away.ErrorCode), TransportError: err}
	case errors.Is(err, yamux.ErrStreamReset):
		return fmt.Errorf("%w: %w", network.ErrReset, err)
	}
	return err
}
