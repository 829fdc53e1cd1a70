package pipe

import (
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// readAhead reads a stream without deadlines into a bounded buffer, and its
// reader waits at the buffer.
type readAhead struct {
	stream
	in *oneWay
}

// run reads until the stream ends, here or at the far side.
func (r *readAhead) run() {
	buf := make([]byte, 16<<10)
	for {
		n, err := r.stream.Read(buf)
		if _, full := r.in.write(buf[:n]); full != nil {
			return
		}
		if err != nil {
			r.in.end(err, net.ErrClosed)
			return
		}
	}
}

func (r *readAhead) Read(b []byte) (int, error) { return r.in.read(b) }

func (r *readAhead) SetReadDeadline(t time.Time) error {
	r.in.reads.set(t)
	return nil
}

// Close ends the reading, and lets go what is being read.
func (r *readAhead) Close() error {
	r.in.end(io.EOF, net.ErrClosed)
	return r.stream.Close()
}

func (r *readAhead) Reset() error {
	r.in.end(network.ErrReset, net.ErrClosed)
	return r.stream.Reset()
}
