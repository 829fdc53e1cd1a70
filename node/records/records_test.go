package records

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

const frame = 64 << 10

// counted counts calls, and fails writes from some call on.
type counted struct {
	net.Conn
	writes, reads int
	fail          error
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes++
	if c.fail != nil {
		return 0, c.fail
	}
	return c.Conn.Write(b)
}

func (c *counted) Read(b []byte) (int, error) {
	c.reads++
	return c.Conn.Read(b)
}

// pair is a connection of this package and a plain one of libp2p's TLS at its
// other end, over TCP.
func pair(t *testing.T) (ours *Conn, below *counted, plain sec.SecureConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	key := func() (crypto.PrivKey, peer.ID) {
		priv, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPrivateKey(priv)
		if err != nil {
			t.Fatal(err)
		}
		return priv, id
	}
	nearKey, _ := key()
	farKey, far := key()
	near, err := New(libp2ptls.ID, nearKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := libp2ptls.New(libp2ptls.ID, farKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			plain, err = other.SecureInbound(context.Background(), c, "")
		}
		accepted <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	below = &counted{Conn: c}
	s, err := near.SecureOutbound(context.Background(), below, far)
	if err := errors.Join(err, <-accepted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); plain.Close() })
	return s.(*Conn), below, plain
}

func TestWhatIsCorkedGoesByOneCall(t *testing.T) {
	ours, below, plain := pair(t)
	warmed := make([]byte, 256<<10) // crypto/tls begins with small records
	go func() { _, _ = ours.Write(warmed) }()
	if _, err := io.ReadFull(plain, warmed); err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, frame)
	_, _ = rand.Read(sent)
	before := below.writes
	ours.Cork()
	for _, part := range [][]byte{sent[:16<<10], sent[16<<10:]} {
		if n, err := ours.Write(part); err != nil || n != len(part) {
			t.Fatalf("wrote %d bytes, %v", n, err)
		}
	}
	if below.writes != before {
		t.Errorf("%d calls while corked", below.writes-before)
	}
	if err := ours.Uncork(); err != nil {
		t.Fatal(err)
	}
	if n := below.writes - before; n != 1 {
		t.Errorf("%d calls for a frame", n)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(plain, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("other bytes have come, %v", err)
	}
	if ours.below.held != nil {
		t.Error("memory is held while nothing waits")
	}
}

func TestBytesAreTheSameHoweverTheyGo(t *testing.T) {
	ours, _, plain := pair(t)
	random := mathrand.New(mathrand.NewPCG(1, 2))
	var sent []byte
	written := make(chan error, 1)
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(plain)
		got <- b
	}()
	go func() {
		written <- func() error {
			for range 200 {
				ours.Cork()
				for range random.IntN(4) {
					b := make([]byte, random.IntN(2*frame))
					for i := range b {
						b[i] = byte(random.Uint32())
					}
					if _, err := ours.Write(b); err != nil {
						return err
					}
					sent = append(sent, b...)
				}
				if err := ours.Uncork(); err != nil {
					return err
				}
			}
			return ours.Close()
		}()
	}()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(<-got, sent) {
		t.Error("other bytes have come")
	}
}

func TestManyRecordsAreReadByOneCall(t *testing.T) {
	const size = 1 << 20
	below := &counted{Conn: &pieces{sizes: []int{size}}}
	g := &gathered{Conn: below}
	for left := size; left > 0; { // as crypto/tls reads: a little more than what is left of a record
		n, err := g.Read(make([]byte, recordSize+512))
		if err != nil {
			t.Fatal(err)
		}
		left -= n
	}
	if most := size/aheadSize + 2; below.reads > most {
		t.Errorf("%d calls for %d records, at most %d", below.reads, size/recordSize, most)
	}
}

func TestWhoHasReadAllHoldsNoMemory(t *testing.T) {
	g := &gathered{Conn: &pieces{sizes: []int{100, aheadSize, 50}}}
	read := func(b int) int {
		n, err := g.Read(make([]byte, b))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if read(100); g.ahead != nil {
		t.Error("memory for a first read")
	}
	for left := aheadSize; left > 0; {
		left -= read(1000)
	}
	if n := read(1000); n != 50 || g.ahead != nil {
		t.Errorf("read %d bytes, memory is held: %t", n, g.ahead != nil)
	}
	if _, err := g.Read(make([]byte, 10)); err != io.EOF {
		t.Errorf("the end is told as %v", err)
	}
}

// pieces gives reads of these sizes, then the end.
type pieces struct {
	net.Conn
	sizes []int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.sizes) == 0 {
		return 0, io.EOF
	}
	n := min(len(b), p.sizes[0])
	if p.sizes[0] -= n; p.sizes[0] == 0 {
		p.sizes = p.sizes[1:]
	}
	return n, nil
}

// stuck is a connection that takes nothing until it is closed.
type stuck struct {
	net.Conn
	writing, closed chan struct{}
	once            sync.Once
}

func (c *stuck) Write([]byte) (int, error) {
	close(c.writing)
	<-c.closed
	return 0, net.ErrClosed
}

func (c *stuck) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func TestCloseDoesNotWaitForWhatIsBeingWritten(t *testing.T) {
	ours, below, _ := pair(t)
	s := &stuck{Conn: below.Conn, writing: make(chan struct{}), closed: make(chan struct{})}
	ours.below.Conn = s
	ours.Cork()
	if _, err := ours.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- ours.Uncork() }()
	<-s.writing
	if err := ours.Close(); err != nil { // or it waits for ever
		t.Error(err)
	}
	if err := <-written; err == nil {
		t.Error("written to a connection that took nothing")
	}
}

func TestAFailedWriteIsNeverForgotten(t *testing.T) {
	ours, below, _ := pair(t)
	below.fail = errors.New("no way out")
	ours.Cork()
	if _, err := ours.Write(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := ours.Uncork(); !errors.Is(err, below.fail) {
		t.Errorf("uncorked with %v", err)
	}
	below.fail = nil
	if _, err := ours.Write(make([]byte, 100)); err == nil {
		t.Error("a record is sent after one that was lost")
	}
}
