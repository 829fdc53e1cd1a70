package pipe

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestAboveTheHighestTermThereIsNone(t *testing.T) {
	for name, meet := range map[string]func(owner, other *node, id ID, b Binding, envelope []byte){
		"a successor": func(owner, _ *node, id ID, b Binding, envelope []byte) {
			must(t, owner.memory.SaveState(within(t), id, BindState{Term: b.Term, Seq: 1, Successor: envelope}))
		},
		"a cached binding": func(owner, _ *node, _ ID, b Binding, envelope []byte) {
			owner.learn(time.Now(), Found{Binding: b, Envelope: envelope, Origin: OriginHeld, received: time.Now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, n := loopback(t, 4)
			owner, other := n[0], n[1]
			id := owner.create(t, CreateOptions{})
			capability := owner.letBind(t, id, other, MaxNumber)
			l := other.listen(t, id, ListenOptions{Capability: capability})
			meet(owner, other, id, l.Status().Binding, l.envelope)
			_, err := owner.Listen(within(t), id, ListenOptions{})
			wantCode(t, err, wire.Taken)
			if wire.NextOf(err) == "" {
				t.Error("the error does not say what to do next")
			}
			if isClosed(l.over) {
				t.Errorf("the binder has ended: %v", l.failure())
			}
			r, err := n[2].Resolve(within(t), id, ResolveOptions{Fresh: true})
			must(t, err)
			if got := r.Bindings[0].Binding.Binder; got != other.principal() {
				t.Errorf("after the refused bind %s is found", got)
			}
		})
	}
}

func TestNumbersThatAreTooHighAreRefusedAndNotKept(t *testing.T) {
	_, n := loopback(t, 2)
	owner, other := n[0], n[1]
	id := owner.create(t, CreateOptions{})
	for _, term := range []uint64{MaxNumber + 1, 1<<64 - 1} {
		_, err := owner.Listen(within(t), id, ListenOptions{Term: term})
		wantCode(t, err, wire.BadRequest)
	}
	l := owner.listen(t, id, ListenOptions{})
	if got := l.Status().Binding.Term; got != 1 {
		t.Errorf("bound under term %d", got)
	}
	_, err := l.sign(within(t), 1, MaxNumber+1, false)
	wantCode(t, err, wire.Limit)
	if st, err := owner.memory.State(within(t), id); err != nil || st.Seq > MaxNumber || st.Term > MaxNumber {
		t.Errorf("kept %+v, %v", st, err)
	}
	owner.letBind(t, id, other, MaxNumber)
	_, _, err = owner.Grant(within(t), id, GrantOptions{Right: identity.RightBind, To: other.principal()})
	wantCode(t, err, wire.Limit)
	if wire.NextOf(err) == "" {
		t.Error("the error does not say what to do next")
	}
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func TestABindThatWasNeverSignedIsNotWithdrawn(t *testing.T) {
	for _, binders := range []Binders{Exclusive, Many} {
		w, n := loopback(t, 2)
		logged := new(lines)
		owner := w.add(func(c *Config) {
			c.Log = slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		id := owner.create(t, CreateOptions{Binders: binders})
		p, err := owner.memory.PipeByID(within(t), id)
		must(t, err)
		l, err := owner.newListener(id, p.Advertisement, ListenOptions{})
		must(t, err)
		must(t, owner.register(l))
		must(t, l.Close())
		if text := logged.text.String(); text != "" {
			t.Errorf("warned of it: %s", text)
		}
		a, err := n[0].query(within(t), n[1].info(), id, wants(id, "", nil))
		must(t, err)
		if len(a.Records) > 0 {
			t.Errorf("%d tombstones of what was never bound", len(a.Records))
		}
	}
}
