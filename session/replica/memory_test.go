package replica

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// device is a made-up node, account a made-up person.
func device(t testing.TB, name string) identity.Principal {
	t.Helper()
	sum, err := multihash.Sum([]byte(name), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return identity.PeerPrincipal(peer.ID(sum))
}

func account(t testing.TB, name string) identity.Principal {
	t.Helper()
	b := device(t, name).Bytes()
	b[0] = byte(identity.KindAccount)
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// journal is what a journal promises, in memory.
type journal struct {
	self    identity.Principal
	now     time.Time
	random  uint64 // the last "random" number given
	clock   Clock
	epochs  map[identity.Principal]uint64
	logs    map[Key]Log
	entries map[Key]map[uint64]Entry
	places  map[ID]ID
}

func newJournal(self identity.Principal, seed uint64) *journal {
	return &journal{
		self: self, random: seed << 32, now: time.Unix(1e9, 0),
		epochs: map[identity.Principal]uint64{}, logs: map[Key]Log{}, entries: map[Key]map[uint64]Entry{}, places: map[ID]ID{},
	}
}

// copy is a backup.
func (j *journal) copy(seed uint64) *journal {
	c := newJournal(j.self, seed)
	c.now, c.clock = j.now, j.clock
	for k, v := range j.epochs {
		c.epochs[k] = v
	}
	for k, v := range j.logs {
		c.logs[k] = v
	}
	for k, v := range j.places {
		c.places[k] = v
	}
	for k, v := range j.entries {
		c.entries[k] = map[uint64]Entry{}
		for n, e := range v {
			c.entries[k][n] = e
		}
	}
	return c
}

func (j *journal) write(with identity.Principal, kind Kind, body string) Entry {
	epoch, ok := j.epochs[with]
	if !ok {
		j.random++
		epoch = j.random
		j.epochs[with] = epoch
	}
	key := Key{With: with, Author: Author{Device: j.self, Epoch: epoch}}
	l, ok := j.logs[key]
	if !ok {
		l = Log{Low: 1}
	}
	j.logs[key] = l
	j.random++
	e := Entry{Key: key, Counter: l.High + 1, ID: MakeID(j.clock.Next(j.now), j.random), Kind: kind, Body: []byte(body)}
	j.append(e)
	return e
}

func (j *journal) renew(key Key) {
	if j.epochs[key.With] == key.Author.Epoch {
		delete(j.epochs, key.With)
	}
}

func (j *journal) adopt(key Key, run Run) {
	if j.logs[key].Run().Useless(run) {
		b := run.Begin()
		j.logs[key] = Log{Low: b.Low, High: b.High}
	}
}

func (j *journal) append(e Entry) Verdict {
	l := j.logs[e.Key]
	v := l.Admit(&e)
	switch v {
	case Stored:
		l, place := l.Extend(&e, j.now)
		j.logs[e.Key] = l
		if j.entries[e.Key] == nil {
			j.entries[e.Key] = map[uint64]Entry{}
		}
		e.Body = slices.Clone(e.Body)
		j.entries[e.Key][e.Counter] = e
		j.places[e.ID] = place
		j.clock.Observe(e.ID.Stamp(), j.now)
	case Repeated:
		held := j.entries[e.Key][e.Counter]
		switch {
		case held.ID != e.ID:
			return Forked
		case !held.Same(&e):
			return Altered
		}
	}
	return v
}

func (j *journal) read(p Part) (part []Entry) {
	l, size := j.logs[p.Key], 0
	for c := p.From; c >= l.Low && c <= l.High && size < p.Limit; {
		e := j.entries[p.Key][c]
		part, size = append(part, e), size+len(e.Body)+64
		if c++; p.Down {
			c -= 2
		}
	}
	return part
}

// end is one end of a session in a test.
type end struct {
	*Machine
	j    *journal
	in   []byte // arrived, not taken
	far  *end
	seen []Effect
	dups int
}

// join begins a session between two devices.
func join(a, b *journal, ca, cb Config) (x, y *end) {
	x, y = &end{Machine: NewMachine(ca), j: a}, &end{Machine: NewMachine(cb), j: b}
	x.far, y.far = y, x
	for _, e := range []*end{x, y} {
		for _, key := range sortedKeys(e.j.logs) {
			e.Mine(key, e.j.logs[key].Run())
		}
		e.Begin()
	}
	return x, y
}

func sortedKeys(m map[Key]Log) []Key {
	var keys []Key
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return slices.Compare(appendAuthor(a.With.Bytes(), a.Author), appendAuthor(b.With.Bytes(), b.Author))
	})
	return keys
}

// send puts what there is to send, of one turn, into the other end.
func (x *end) send() (sent bool) {
	b := x.Control(nil, 512)
	if p, ok := x.Next(); ok {
		b = x.Sent(b, p, x.j.read(p))
	}
	x.far.in = append(x.far.in, b...)
	return len(b) > 0
}

// take takes one frame; changed hears what the journal holds now.
func (x *end) take(changed func(Key)) (taken bool, err error) {
	n, do, err := x.Receive(x.in)
	if err != nil || n == 0 {
		return false, err
	}
	x.in = x.in[n:]
	if do.Do != Nothing || do.Acked || do.Behind {
		x.seen = append(x.seen, do)
	}
	if do.Behind {
		x.j.renew(do.Key)
	}
	switch do.Do {
	case Store:
		v := x.j.append(do.Entry)
		if v == Repeated {
			x.dups++
		}
		if v == Forked {
			x.Stop(do.Key, wire.Taken)
			x.seen = append(x.seen, Effect{Do: Split, Key: do.Key})
			return true, nil
		}
		if err := v.Err(); err != nil && !(v == Apart && x.Moved(do.Key)) {
			return true, err
		}
		changed(do.Key)
		x.Heard(do.Key)
	case Adopt:
		x.j.adopt(do.Key, do.Run)
		changed(do.Key)
	case Compare:
		same := x.j.entries[do.Key][do.Run.High].ID.Tag() == do.Run.Tag
		x.Checked(do.Key, same)
		if !same {
			x.seen = append(x.seen, Effect{Do: Split, Key: do.Key})
			if do.Key.Author.Device == x.cfg.Self {
				x.j.renew(do.Key)
			}
		}
	case Split:
		if do.Key.Author.Device == x.cfg.Self {
			x.j.renew(do.Key)
		}
	case LogShown:
		x.Learned()
	case Parted:
		return true, do.Err
	}
	return true, nil
}
