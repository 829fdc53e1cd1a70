package hostile

import (
	"bytes"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestRecordsThatAreNoGoodAreNotHeld(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		adv, other := p.advertisement(1), p.advertisement(2)
		good := p.binding(adv, asItIs)
		held := a.trueRecord(t)
		cases := map[string]struct {
			envelope []byte
			want     wire.Code
		}{
			"forged":         {flipped(good), wire.BadRequest},
			"garbage":        {garbage(400), wire.BadRequest},
			"empty":          {nil, wire.BadRequest},
			"with a tail":    {append(bytes.Clone(good), 0), wire.BadRequest},
			"oversized":      {bytes.Repeat([]byte{1}, pipe.MaxBinding+1), wire.TooLarge},
			"foreign":        {held, wire.Forbidden},
			"other domain":   {seal(p.key, identity.DomainCapability, bodyOf(t, good)), wire.BadRequest},
			"expired":        {p.binding(adv, func(b *pipe.Binding) { b.Issued = time.Now().Add(-2 * time.Hour) }), wire.Expired},
			"old":            {p.binding(adv, func(b *pipe.Binding) { b.Issued = time.Now().Add(-11 * time.Minute) }), wire.Expired},
			"future":         {p.binding(adv, func(b *pipe.Binding) { b.Issued = time.Now().Add(11 * time.Minute) }), wire.BadRequest},
			"endless":        {p.binding(adv, func(b *pipe.Binding) { b.Life = 25 * time.Hour }), wire.BadRequest},
			"lifeless":       {p.binding(adv, func(b *pipe.Binding) { b.Life = time.Second }), wire.BadRequest},
			"no seq":         {p.binding(adv, func(b *pipe.Binding) { b.Seq = 0 }), wire.BadRequest},
			"seq too high":   {p.binding(adv, func(b *pipe.Binding) { b.Seq = pipe.MaxNumber + 1 }), wire.BadRequest},
			"term too high":  {p.binding(adv, func(b *pipe.Binding) { b.Term = pipe.MaxNumber + 1 }), wire.BadRequest},
			"no term":        {p.binding(adv, func(b *pipe.Binding) { b.Term = 0 }), wire.BadRequest},
			"another's ID":   {p.binding(adv, func(b *pipe.Binding) { b.Pipe = other.ID() }), wire.BadRequest},
			"another binder": {p.binding(adv, func(b *pipe.Binding) { b.Binder = a.binder.Principal() }), wire.BadRequest},
			"endpoints": {p.binding(adv, func(b *pipe.Binding) {
				b.Endpoints = slices.Repeat([]ma.Multiaddr{p.addr}, pipe.MaxEndpoints+1)
			}), wire.TooLarge},
			"not the owner": {p.binding(a.advertisement(t), asItIs), wire.Forbidden},
		}
		for n := 1; n < len(good); n += 7 {
			if got := p.store(t, a.victim, good[:n]); !slices.Equal(got, []wire.Code{wire.BadRequest}) {
				t.Errorf("the first %d bytes of a record: %v", n, got)
			}
		}
		before := a.victim.Pipes().Usage()
		for name, c := range cases {
			if got := p.store(t, a.victim, c.envelope); !slices.Equal(got, []wire.Code{c.want}) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		if after := a.victim.Pipes().Usage(); after.Records != before.Records {
			t.Errorf("%d records are held, %d before", after.Records, before.Records)
		}
		if got := p.store(t, a.victim, good); !slices.Equal(got, []wire.Code{wire.OK}) {
			t.Errorf("the same peer's good record: %v", got)
		}
	})
}

// trueRecord is the true pipe's, as a holder gives it.
func (a *arena) trueRecord(t *testing.T) []byte {
	t.Helper()
	r, err := a.reader.Pipes().Resolve(t.Context(), a.pipe, pipe.ResolveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Bindings[0].Envelope
}

// advertisement is the true pipe's.
func (a *arena) advertisement(t *testing.T) pipe.Advertisement {
	t.Helper()
	b, err := pipe.OpenBinding(a.trueRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	return b.Advertisement
}

// bodyOf is what an envelope signs.
func bodyOf(t *testing.T, envelope []byte) []byte {
	t.Helper()
	f, err := wire.ParseFields(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return f.Bytes(1, pipe.MaxBinding)
}

func TestReplayedRecordsChangeNothing(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p, thief := a.stranger(t), a.stranger(t)
		adv := p.advertisement(1)
		first := p.binding(adv, asItIs)
		second := p.binding(adv, func(b *pipe.Binding) { b.Seq = 2 })
		gone := p.binding(adv, func(b *pipe.Binding) { b.Seq, b.Withdrawn, b.Endpoints = 3, true, nil })
		for i, step := range []struct {
			by       *hand
			envelope []byte
			want     wire.Code
		}{
			{p, first, wire.OK},
			{p, first, wire.OK}, // a refresh
			{p, second, wire.OK},
			{p, first, wire.Expired},
			{thief, second, wire.Forbidden},
			{p, gone, wire.OK},
			{p, second, wire.Expired},
			{thief, gone, wire.Forbidden},
		} {
			if got := step.by.store(t, a.victim, step.envelope); !slices.Equal(got, []wire.Code{step.want}) {
				t.Errorf("step %d: %v, want %v", i, got, step.want)
			}
		}
		if _, err := a.reader.Pipes().Resolve(t.Context(), adv.ID(), pipe.ResolveOptions{}); wire.CodeOf(err) != wire.Unbound {
			t.Errorf("the withdrawn pipe: %v", err)
		}
	})
}

func TestCapabilitiesThatDoNotFitBindNothing(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		owner, thief, friend := a.stranger(t), a.stranger(t), a.stranger(t)
		adv := owner.advertisement(1)
		grant := func(by, to *hand, change func(*identity.Capability)) []byte {
			c := identity.Capability{
				Issuer: by.principal(), Subject: to.principal(), Object: adv.ID().Bytes(), Right: identity.RightBind,
				Term: 2, Expiry: time.Now().Add(time.Hour), Nonce: identity.NewNonce(),
			}
			change(&c)
			envelope, err := c.Sign(by.key)
			if err != nil {
				t.Fatal(err)
			}
			return envelope
		}
		fits := func(*identity.Capability) {}
		bind := func(by *hand, capability []byte, term uint64) []byte {
			return by.binding(adv, func(b *pipe.Binding) { b.Capability, b.Term = capability, term })
		}
		good := grant(owner, friend, fits)
		for name, c := range map[string]struct {
			envelope []byte
			want     wire.Code
		}{
			"another's":             {bind(thief, good, 2), wire.Forbidden},
			"passed on":             {bind(thief, grant(friend, thief, fits), 2), wire.Forbidden},
			"self-made":             {bind(thief, grant(thief, thief, fits), 2), wire.Forbidden},
			"forged":                {bind(thief, flipped(grant(owner, thief, fits)), 2), wire.BadRequest},
			"another pipe's":        {bind(thief, grant(owner, thief, func(c *identity.Capability) { c.Object = a.pipe.Bytes() }), 2), wire.Forbidden},
			"to dial":               {bind(thief, grant(owner, thief, func(c *identity.Capability) { c.Right, c.Term = identity.RightDial, 0 }), 2), wire.Forbidden},
			"expired":               {bind(thief, grant(owner, thief, func(c *identity.Capability) { c.Expiry = time.Now().Add(-time.Second) }), 2), wire.Expired},
			"not yet valid":         {bind(thief, grant(owner, thief, func(c *identity.Capability) { c.NotBefore = time.Now().Add(30 * time.Minute) }), 2), wire.Forbidden},
			"for a lower term":      {bind(thief, grant(owner, thief, fits), 3), wire.Forbidden},
			"for the highest term":  {bind(thief, grant(owner, thief, fits), pipe.MaxNumber), wire.Forbidden},
			"a chain of two in one": {bind(thief, append(bytes.Clone(good), grant(friend, thief, fits)...), 2), wire.BadRequest},
		} {
			if got := thief.store(t, a.victim, c.envelope); !slices.Equal(got, []wire.Code{c.want}) {
				t.Errorf("a capability %s: %v, want %v", name, got, c.want)
			}
		}
		if got := friend.store(t, a.victim, bind(friend, good, 2)); !slices.Equal(got, []wire.Code{wire.OK}) {
			t.Errorf("one that fits: %v", got)
		}
	})
}

func TestRequestsThatAreNoneAreTurnedAway(t *testing.T) {
	attack(t, 5, func(t *testing.T, a *arena) {
		p := a.stranger(t)
		many := &pb.Store{Records: slices.Repeat([]*pb.Record{{}}, pipe.MaxStoreRecords+1)}
		query := func(change func(*pb.Query)) []byte {
			req := p.query(a.pipe, a.victim)
			change(req.GetQuery())
			return framed(req)
		}
		for name, c := range map[string]struct {
			bytes []byte
			want  wire.Code
		}{
			"garbage":            {append([]byte{100}, garbage(100)...), wire.BadRequest},
			"no length":          {bytes.Repeat([]byte{0xff}, 20), wire.BadRequest},
			"too long":           {append(uvarint(pipe.MaxRequest+1), garbage(100)...), wire.BadRequest},
			"endless":            {append(uvarint(1<<62), garbage(100)...), wire.BadRequest},
			"truncated":          {query(func(*pb.Query) {})[:40], wire.BadRequest},
			"nothing asked":      {framed(&pb.Request{}), wire.Unsupported},
			"too many records":   {framed(&pb.Request{Op: &pb.Request_Store{Store: many}}), wire.TooLarge},
			"records of no kind": {framed(&pb.Request{Op: &pb.Request_Store{Store: &pb.Store{Key: garbage(5)}}}), wire.BadRequest},
			"short nonce":        {query(func(q *pb.Query) { q.Nonce = q.Nonce[1:] }), wire.BadRequest},
			"long key":           {query(func(q *pb.Query) { q.Key = append(q.Key, 0) }), wire.BadRequest},
			"short proof":        {query(func(q *pb.Query) { q.Proof = q.Proof[1:] }), wire.BadRequest},
			"odd transport":      {query(func(q *pb.Query) { q.Transport = "QUIC; DROP" }), wire.BadRequest},
			"many binders":       {query(func(q *pb.Query) { q.OnlyPeers = slices.Repeat([][]byte{ghost()}, pipe.MaxOnlyPeers+1) }), wire.TooLarge},
			"binders of no form": {query(func(q *pb.Query) { q.OnlyPeers = [][]byte{garbage(3)} }), wire.BadRequest},
		} {
			got := p.say(t, a.victim, c.bytes)
			if got == nil || wire.Code(got.Code) != c.want {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
		// Who does not prove that it knows the pipe is told nothing of it.
		for name, b := range map[string][]byte{
			"another's proof": framed(a.strangersQuery(t)),
			"a wrong proof":   query(func(q *pb.Query) { q.Proof = garbage(pipe.ProofSize) }),
			"no proof":        query(func(q *pb.Query) { q.Proof = nil }),
			"another nonce":   query(func(q *pb.Query) { q.Nonce = garbage(pipe.NonceSize) }),
		} {
			got := p.say(t, a.victim, b)
			if got == nil || got.Code != 0 || got.Found || len(got.Records)+len(got.Revocations)+len(got.Advertisement) > 0 {
				t.Errorf("%s: %v", name, got)
			}
		}
		if got := p.request(t, a.victim, p.query(a.pipe, a.victim)); got == nil || !got.Found {
			t.Errorf("a good query: %v", got)
		}
	})
}

// strangersQuery is a query that somebody else has made, replayed.
func (a *arena) strangersQuery(t *testing.T) *pb.Request {
	t.Helper()
	return a.stranger(t).query(a.pipe, a.victim)
}
