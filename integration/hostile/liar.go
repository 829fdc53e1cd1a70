package hostile

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/quic-go/quic-go"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Kind is a way to lie.
type Kind string

// The ways to lie. To a Store all that answer say that every record is held;
// they hold none.
const (
	Silent     Kind = "silent"     // takes the request and never answers
	Drips      Kind = "drips"      // answers, a byte every ten seconds
	Garbles    Kind = "garbles"    // answers with bytes that are no answer
	Denies     Kind = "denies"     // has found nothing and knows nobody
	Forges     Kind = "forges"     // gives forged records, and records of other pipes
	Mismatches Kind = "mismatches" // answers another question
	Misleads   Kind = "misleads"   // names nodes nearest to the key that do not exist
	Misplaces  Kind = "misplaces"  // names nodes that exist, at addresses where they are not
	Crowds     Kind = "crowds"     // names thousands of nodes, itself and nonsense among them
	Mixed      Kind = "mixed"      // each of the above by turns
)

// Kinds lists the ways to lie, Mixed excepted.
func Kinds() []Kind {
	return []Kind{Silent, Drips, Garbles, Denies, Forges, Mismatches, Misleads, Misplaces, Crowds}
}

// Lie makes a running node of a world answer every request of the binding
// protocol with lies, until it ends. All else of the node is honest: it joins
// and is found, and binds and dials for itself.
func Lie(n *world.Node, how Kind) {
	l := &liar{host: n.Host(), how: how, heard: make(map[wire.Key][]byte)}
	n.Host().SetStreamHandler(pipe.BindingProtocol(n.Overlay()), l.serve)
}

const (
	maxHeard = 1000             // records that a liar remembers, to forge others by
	silence  = time.Minute      // longer than anybody waits for an answer
	dripping = 10 * time.Second // between two bytes
	noCap    = 16 << 20         // a liar heeds no cap of a message
)

// liar answers requests.
type liar struct {
	// Fixed.
	host host.Host
	how  Kind

	turn atomic.Uint32 // of Mixed

	mu    sync.Mutex          // guards what follows
	heard map[wire.Key][]byte // by pipe, the last binding that was stored here
}

func (l *liar) serve(st network.Stream) {
	defer func() { _ = st.Close() }()
	var req pb.Request
	if wire.ReadMessage(st, &req, pipe.MaxRequest) != nil {
		return
	}
	l.listen(req.GetStore())
	how := l.how
	if how == Mixed {
		how = Kinds()[int(l.turn.Add(1))%len(Kinds())]
	}
	switch how {
	case Silent:
		rest(st, silence)
		_ = st.Reset()
	case Drips:
		drip(st, l.answer(Denies, &req))
	case Garbles:
		_, _ = st.Write(garbage(4 << 10))
	default:
		_ = wire.WriteMessage(st, l.answer(how, &req), noCap)
	}
}

// key is the liar's own.
func (l *liar) key() crypto.PrivKey { return l.host.Peerstore().PrivKey(l.host.ID()) }

// drip writes a message byte by byte.
func drip(st network.Stream, m proto.Message) {
	b, err := proto.Marshal(m)
	if err != nil {
		return
	}
	b = append([]byte{byte(len(b)) | 0x80, byte(len(b) >> 7)}, b...)
	for i := range b {
		if _, err := st.Write(b[i : i+1]); err != nil {
			return
		}
		rest(st, dripping)
	}
}

// rest waits, but not beyond the end of the connection: a bubble cannot end
// before its goroutines.
func rest(st network.Stream, d time.Duration) {
	var c *quic.Conn
	if !st.Conn().As(&c) {
		return
	}
	select {
	case <-time.After(d):
	case <-c.Context().Done():
	}
}

// listen remembers what it is given to hold.
func (l *liar) listen(s *pb.Store) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range s.GetRecords() {
		if b, err := pipe.OpenBinding(r.GetBinding()); err == nil && len(l.heard) < maxHeard {
			l.heard[b.Pipe.Key()] = r.GetBinding()
		}
	}
}

// binding is what was stored here under a key, nil if nothing was.
func (l *liar) binding(key []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(key) != len(wire.Key{}) {
		return nil
	}
	return l.heard[wire.Key(key)]
}
