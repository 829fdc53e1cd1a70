package pipe

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestTheHighestTermIsToldThoughItIsOver(t *testing.T) {
	for _, c := range []struct {
		name      string
		binders   Binders
		withdrawn bool
		want      bool
	}{
		{"expired", Exclusive, false, true},
		{"tombstone", Exclusive, true, true},
		{"of many", Many, false, false},
	} {
		connected(t, 3, func(t *testing.T, w *sim) {
			owner, other, asked := w.nodes[0], w.nodes[1], w.nodes[2]
			id := owner.create(t, CreateOptions{Binders: c.binders})
			p, err := owner.memory.PipeByID(within(t), id)
			must(t, err)
			learn := func(by *node, term uint64, capability []byte, withdrawn bool) {
				if c.binders == Many {
					term = 0
				}
				envelope, err := Binding{
					Pipe: id, Advertisement: p.Advertisement, Binder: by.principal(), Seq: uint64(time.Now().UnixMilli()) + 1, Issued: time.Now(),
					Life: time.Minute, Capability: capability, Term: term, Withdrawn: withdrawn,
				}.Sign(by.key)
				must(t, err)
				asked.learn(time.Now(), Found{Binding: openedBinding(t, envelope), Envelope: envelope, Origin: OriginCached, received: time.Now()})
			}
			low := owner.letBind(t, id, other, 0)
			learn(other, 2, low, false)
			learn(owner, 9, nil, c.withdrawn)
			told := func() (terms []uint64) {
				a, err := owner.query(within(t), asked.info(), id, wants(id, "", nil))
				must(t, err)
				for _, r := range a.Records {
					if r.Origin == OriginCached {
						terms = append(terms, openedBinding(t, r.Envelope).Term)
					}
				}
				return terms
			}
			pass(time.Minute + Skew + time.Second)
			if got := told(); (len(got) == 1 && got[0] == 9) != c.want || len(got) > 1 {
				t.Errorf("%s: the terms told are %v", c.name, got)
			}
			_, err = owner.Resolve(within(t), id, ResolveOptions{Fresh: true})
			wantCode(t, err, wire.Unbound)
		})
	}
}

func TestTheHighestTermIsToldNoLongerThanHoldersRememberIt(t *testing.T) {
	f := heard(Binding{Advertisement: Advertisement{Binders: Exclusive}, Binder: newActor(t, 1).who, Term: 9, Seq: 1, Life: time.Minute})
	k := known{records: []Found{f}}
	end := f.Binding.Expires()
	if !k.tells(f, end.Add(HighWater-1)) || k.tells(f, end.Add(HighWater)) {
		t.Error("told for a shorter time, or a longer one")
	}
	low := heard(Binding{Advertisement: Advertisement{Binders: Exclusive}, Binder: newActor(t, 2).who, Term: 8, Seq: 1, Life: time.Minute})
	if k.tells(low, end.Add(Skew+time.Minute)) {
		t.Error("a lower term that is over is told")
	}
}
