package link_test

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Frames, as in the package comment.
const (
	frameOpen, frameResume, frameResumed, frameRefused = 16, 17, 18, 19
	frameData, frameReset, frameClose                  = 20, 25, 27
)

type frame struct {
	kind    trunk.Kind
	payload []byte
}

// liar is the owner of a leg who sends what a test says.
type liar struct {
	leg  *trunk.Leg
	came chan frame
	lost chan error

	mu  sync.Mutex
	out []frame
}

func newLiar() *liar {
	return &liar{came: make(chan frame, 1000), lost: make(chan error, 1)}
}

// lie begins a leg with a frame.
func lie(t testing.TB, n *node, p reach.Path, first frame) *liar {
	t.Helper()
	l := newLiar()
	leg, err := n.trunks.Attach(within(t), p, l, false)
	if err != nil {
		t.Fatal(err)
	}
	l.leg = leg
	l.says(first)
	return l
}

func (l *liar) says(f ...frame) {
	l.mu.Lock()
	l.out = append(l.out, f...)
	l.mu.Unlock()
	l.leg.ReadySoon()
}

func (l *liar) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.out) > 0 {
		f := l.out[0]
		if out.Room() < len(f.payload) || out.Room() == 0 {
			return true
		}
		copy(out.Frame(f.kind, len(f.payload)), f.payload)
		l.out = l.out[1:]
	}
	return false
}

func (l *liar) Receive(_ *trunk.Leg, k trunk.Kind, in *trunk.Inbox) error {
	b := make([]byte, in.Len())
	if err := in.Full(b); err != nil {
		return err
	}
	select {
	case l.came <- frame{k, b}:
	default:
	}
	return nil
}

func (l *liar) Datagram(*trunk.Leg, []byte) {}

func (l *liar) Lost(_ *trunk.Leg, cause error) { l.lost <- cause }

// hears waits for the next frame.
func (l *liar) hears(t testing.TB) frame {
	t.Helper()
	select {
	case f := <-l.came:
		return f
	case <-within(t).Done():
		t.Fatal("nothing comes")
		panic("unreachable")
	}
}

// refused waits for REFUSED with a code.
func (l *liar) refused(t testing.TB, what string, code wire.Code) {
	t.Helper()
	if f := l.hears(t); f.kind != frameRefused || f.payload[0] != byte(code) {
		t.Errorf("%s: frame %d %x, want a refusal with %s", what, f.kind, f.payload, code)
	}
}

func uvarints(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func openFrame(id link.ID, gen uint64) frame {
	return frame{frameOpen, append(uvarints(id[:], gen, 0, 16384, 60_000, 4), "test"...)}
}

func resumeFrame(id link.ID, gen, epoch, farEpoch uint64) frame {
	return frame{frameResume, append(uvarints(id[:], gen, 0, epoch, farEpoch, 0, 0, 16384, 1, 5), "token"...)}
}

func resumedFrame(gen, epoch uint64) frame {
	return frame{frameResumed, append(uvarints(nil, gen, 0, epoch, 0, 0, 0, 16384, 1, 5), "token"...)}
}

// quic makes a node on QUIC.
func quic(t testing.TB, cfg link.Config) *node { return newNode(t, cfg, loopback["quic"]...) }

// works moves a few bytes each way over a link.
func works(t testing.TB, near, far *link.Link) {
	t.Helper()
	for _, way := range [][2]*link.Link{{near, far}, {far, near}} {
		b := make([]byte, 5)
		if _, err := way[0].Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(b); {
			m, err := way[1].Read(b[n:])
			if n += m; err != nil {
				t.Fatal(err)
			}
		}
		if string(b) != "hello" {
			t.Fatalf("%q came", b)
		}
	}
}

// TestOnlyTheFarEndMayResume: everybody else is refused, and the link goes on.
func TestOnlyTheFarEndMayResume(t *testing.T) {
	a, b, c := quic(t, link.Config{}), quic(t, link.Config{}), quic(t, link.Config{})
	came := serve(b)
	ab, cb := path(t, a, b, reach.Any), path(t, c, b, reach.Any)
	near, far := open(t, a, ab, came)
	lie(t, c, cb, resumeFrame(near.ID(), 2, 0, 0)).refused(t, "a stranger", wire.Forbidden)
	lie(t, c, cb, openFrame(near.ID(), 2)).refused(t, "OPEN of a stranger", wire.Forbidden)
	lie(t, c, cb, resumeFrame(near.ID(), 2, 1, 0)).refused(t, "a stranger's claim", wire.Forbidden)
	lie(t, c, cb, resumeFrame(link.NewID(), 2, 0, 0)).refused(t, "an unknown link", wire.Gone)
	lie(t, c, cb, openFrame(link.NewID(), 0)).refused(t, "OPEN of no generation", wire.BadRequest)
	lie(t, c, cb, openFrame(link.NewID(), 1<<63)).refused(t, "OPEN of a generation far ahead", wire.BadRequest)
	lie(t, a, ab, openFrame(near.ID(), 1)).refused(t, "OPEN once more", wire.Taken)
	lie(t, a, ab, resumeFrame(near.ID(), 1<<64-1, 0, 0)).refused(t, "the last generation", wire.BadRequest)
	lie(t, a, ab, resumeFrame(near.ID(), 2, 0, 7)).refused(t, "a later life of this end", wire.Gone)
	serve(a)
	back, err := b.links.Open(within(t), b.reach.Paths(a.host.ID())[0], link.Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	lie(t, c, cb, openFrame(back.ID(), 1)).refused(t, "OPEN of a link of this side's", wire.Taken)
	back.Reset(wire.Gone, "")
	works(t, near, far)
	near.Reset(wire.Expired, "enough")
	<-far.Done()
	lie(t, a, ab, resumeFrame(near.ID(), 2, 0, 0)).refused(t, "a link that was reset", wire.Gone)
	if u := b.links.Usage(); u.Memory != int64(u.Links)*(32<<10) {
		t.Errorf("%+v", u)
	}
}

func closeBoth(t testing.TB, near, far *link.Link) {
	t.Helper()
	near.Close()
	far.Close()
	for _, l := range []*link.Link{near, far} {
		select {
		case <-l.Done():
		case <-within(t).Done():
			t.Fatal("the link does not end")
		}
	}
}

// TestClaimsAreCappedAndRefused: a stranger with many claims has four judged at
// a time; none is granted, and the link goes on.
func TestClaimsAreCappedAndRefused(t *testing.T) {
	running, judged := make(chan struct{}, 100), make(chan struct{})
	b := quic(t, link.Config{Authorise: func(ctx context.Context, c link.Claim) error {
		running <- struct{}{}
		<-judged
		return wire.Errorf(wire.Forbidden, "no right: %q", c.Token)
	}})
	a, c := quic(t, link.Config{}), quic(t, link.Config{})
	near, far := open(t, a, path(t, a, b, reach.Any), serve(b))
	cb := path(t, c, b, reach.Any)
	var all []*liar
	for i := range 20 {
		all = append(all, lie(t, c, cb, resumeFrame(near.ID(), 2, 1+uint64(i), 0)))
	}
	for _, l := range all[4:] {
		l.refused(t, "a claim too many", wire.Busy)
	}
	for range 4 {
		<-running
	}
	if len(running) > 0 {
		t.Error("more than four claims are judged at once")
	}
	close(judged)
	for _, l := range all[:4] {
		l.refused(t, "a claim", wire.Forbidden)
	}
	if far.Peer() != a.host.ID() {
		t.Error("the link has moved")
	}
	works(t, near, far)
}

// TestOneOfTwoClaimsToOneEpochWins, the other is refused though it is as right.
func TestOneOfTwoClaimsToOneEpochWins(t *testing.T) {
	both := make(chan struct{}, 2)
	second := make(chan struct{})
	b := quic(t, link.Config{Authorise: func(context.Context, link.Claim) error {
		if both <- struct{}{}; len(both) == 2 {
			close(second)
		}
		<-second
		return nil
	}})
	a, c, d := quic(t, link.Config{}), quic(t, link.Config{}), quic(t, link.Config{})
	near, far := open(t, a, path(t, a, b, reach.Any), serve(b))
	claims := []*liar{lie(t, c, path(t, c, b, reach.Any), resumeFrame(near.ID(), 2, 1, 0)), lie(t, d, path(t, d, b, reach.Any), resumeFrame(near.ID(), 2, 1, 0))}
	var kinds []trunk.Kind
	for _, l := range claims {
		kinds = append(kinds, l.hears(t).kind)
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, []trunk.Kind{frameResumed, frameRefused}) {
		t.Errorf("answers %v", kinds)
	}
	if p := far.Peer(); p != c.host.ID() && p != d.host.ID() {
		t.Errorf("the far end is at %s", p)
	}
	far.Reset(wire.Gone, "the test is over")
}

// TestHandlersOfEndedLinksCount: who opens and resets has no more handlers than
// links.
func TestHandlersOfEndedLinksCount(t *testing.T) {
	const most = 10
	b := quic(t, link.Config{LinksPerPeer: most})
	a := quic(t, link.Config{})
	started, end := make(chan struct{}, 1000), make(chan struct{})
	b.links.Handle("test", func(*link.Link) { started <- struct{}{}; <-end })
	p := path(t, a, b, reach.Any)
	for i := range 50 {
		l := lie(t, a, p, openFrame(link.NewID(), 1))
		if i >= most {
			l.refused(t, "one too many", wire.Limit)
			continue
		}
		if f := l.hears(t); f.kind != frameResumed {
			t.Fatalf("frame %d", f.kind)
		}
		l.says(frame{frameReset, []byte{9, 0}})
		if f := l.hears(t); f.kind != frameClose {
			t.Fatalf("frame %d", f.kind)
		}
	}
	for range most {
		<-started
	}
	close(end)
	for { // as soon as one has returned
		l := lie(t, a, p, openFrame(link.NewID(), 1))
		if f := l.hears(t); f.kind == frameResumed {
			break
		}
	}
	if len(started) > 1 {
		t.Errorf("%d handlers too many", len(started))
	}
}

// TestAnswerOfAnotherNodeCountsForNothing: the path led to a node that answers
// for a link it does not have. It gets no byte, and the link goes on where it was.
func TestAnswerOfAnotherNodeCountsForNothing(t *testing.T) {
	lies := make(chan *liar, 10)
	var mu sync.Mutex
	var a, b, c *node
	wrong := 0
	a = quic(t, link.Config{Redial: func(ctx context.Context, _ link.Route) (reach.Path, error) {
		mu.Lock()
		defer mu.Unlock()
		to := b
		if wrong++; wrong <= 2 {
			to = c
		}
		p, _, err := a.reach.Path(ctx, reach.Want{Peer: to.host.ID(), Addrs: to.host.Addrs()})
		return p, err
	}})
	b, c = quic(t, link.Config{}), newLyingNode(t, lies)
	near, far := open(t, a, path(t, a, b, reach.Any), serve(b))
	works(t, near, far)
	_ = near.Path().Close()
	if _, err := near.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		l := <-lies
		if f := l.hears(t); f.kind != frameResume {
			t.Fatalf("frame %d", f.kind)
		}
		l.leg.ReadySoon()
		if i == 0 {
			l.says(resumedFrame(2, 0), frame{frameData, []byte("lies!")})
		} else {
			l.says(frame{frameRefused, []byte{byte(wire.Gone), 0, 0}})
		}
		<-l.lost
		if len(l.came) > 0 {
			t.Errorf("it was told %v", <-l.came)
		}
	}
	b5 := make([]byte, 5)
	if _, err := far.Read(b5); err != nil || string(b5) != "hello" {
		t.Errorf("%q, %v", b5, err)
	}
	if near.Peer() != b.host.ID() {
		t.Error("the link has moved")
	}
}

// TestClaimByAnswerIsJudged: a far end that has moved answers with a token, and
// has no right: the link does not hang.
func TestClaimByAnswerIsJudged(t *testing.T) {
	lies := make(chan *liar, 10)
	var a, c *node
	a = quic(t, link.Config{Grace: 3 * time.Second, Redial: func(ctx context.Context, _ link.Route) (reach.Path, error) {
		p, _, err := a.reach.Path(ctx, reach.Want{Peer: c.host.ID(), Addrs: c.host.Addrs()})
		return p, err
	}})
	c = newLyingNode(t, lies)
	l, err := a.links.Open(within(t), path(t, a, c, reach.Any), link.Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	first := <-lies
	first.hears(t)
	first.says(resumedFrame(1, 1)) // the node is the one known, its epoch is not
	<-first.lost
	if err := l.Err(); err != nil {
		t.Error(err)
	}
	for done := false; !done; {
		select {
		case again := <-lies:
			again.hears(t)
			again.says(resumedFrame(9, 1))
		case <-l.Done():
			done = true
		case <-within(t).Done():
			t.Fatal("the link hangs")
		}
	}
	if wire.CodeOf(l.Err()) != wire.Gone {
		t.Error(l.Err())
	}
}

// newLyingNode is a node whose legs are liars'.
func newLyingNode(t *testing.T, lies chan<- *liar) *node {
	n := quic(t, link.Config{})
	_ = n.trunks.Close()
	tr, err := trunk.New(trunk.Config{
		Self: n.host.ID(), Overlay: "test", Reach: n.reach,
		Accept: func(leg *trunk.Leg, k trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
			l := newLiar()
			l.leg = leg
			err := l.Receive(leg, k, in)
			lies <- l
			return l, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	n.trunks = tr
	return n
}

// TestNothingIsLeftOfLinks opens and closes, at either side first.
func TestNothingIsLeftOfLinks(t *testing.T) {
	a, b := quic(t, link.Config{}), quic(t, link.Config{})
	came := serve(b)
	p := path(t, a, b, reach.Any)
	for i := range 200 {
		near, far := open(t, a, p, came)
		works(t, near, far)
		switch i % 3 {
		case 0:
			closeBoth(t, near, far)
		case 1:
			near.Reset(wire.Expired, "enough")
			<-far.Done()
		case 2:
			far.Reset(wire.Expired, "enough")
			<-near.Done()
		}
	}
	for _, n := range []*node{a, b} {
		_ = n.links.Close() // waits for the last words
		if u := n.links.Usage(); u != (link.Usage{}) {
			t.Errorf("%+v is left", u)
		}
	}
}

// TestSameOpenOnTwoCarriersAtOnceIsOneLink, with one handler.
func TestSameOpenOnTwoCarriersAtOnceIsOneLink(t *testing.T) {
	a, b := quic(t, link.Config{}), quic(t, link.Config{})
	came := serve(b)
	p := path(t, a, b, reach.Any)
	for range 30 {
		open := openFrame(link.NewID(), 1)
		one, other := lie(t, a, p, open), newLiar()
		leg, err := a.trunks.Attach(within(t), p, other, true)
		if err != nil {
			t.Fatal(err)
		}
		other.leg = leg
		other.says(open)
		kinds := []trunk.Kind{one.hears(t).kind, other.hears(t).kind}
		slices.Sort(kinds)
		if !slices.Equal(kinds, []trunk.Kind{frameResumed, frameRefused}) {
			t.Errorf("answers %v", kinds)
		}
		(<-came).Reset(wire.Gone, "")
		one.leg.Release()
		leg.Release()
	}
	if len(came) > 0 {
		t.Errorf("%d handlers too many", len(came))
	}
}
