package integration

import (
	"errors"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// half of the life of a binding: by then its binder has been heard again.
const halfLife = 15 * time.Minute

// bindingWrites is how many messages of the binding protocol n has sent.
func bindingWrites(n *world.Node) int64 { return n.Traffic.Writes(pipe.BindingProtocol("panpipe")) }

// grantTerm lets a node bind a pipe of owner under a term, with 0 for the next.
func grantTerm(t *testing.T, owner, to *node.Node, id pipe.ID, term uint64) []byte {
	t.Helper()
	text, _, err := owner.Pipes().Grant(t.Context(), id, pipe.GrantOptions{
		Right: identity.RightBind, To: to.Principal(), Term: term,
	})
	if err != nil {
		t.Fatalf("grant: %v", err)
	}
	envelope, _, err := identity.ParseCapability(text)
	if err != nil {
		t.Fatalf("granted capability: %v", err)
	}
	return envelope
}

// agreeOn checks that every live node finds who has a pipe, and reaches it.
func agreeOn(t *testing.T, w *world.World, id pipe.ID, has *world.Node, name string) {
	t.Helper()
	for _, n := range w.Live() {
		if n == has {
			continue
		}
		r, err := n.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Fresh: true})
		if err != nil {
			t.Errorf("node %d resolves: %v", n.Index, err)
			continue
		}
		if got := r.Bindings[0].Binding.Binder; got != has.Principal() {
			t.Errorf("node %d finds %s, not %s", n.Index, got, name)
		}
		if got := ask(t, n.Node, id, pipe.DialOptions{}); got != name {
			t.Errorf("node %d was answered by %q, not %q", n.Index, got, name)
		}
	}
}

func replaced(l *pipe.Listener) bool {
	select {
	case <-l.Replaced():
		return true
	default:
		return false
	}
}

func TestAMoveIsDoneWhateverBecameOfTheOldBinder(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(w *world.World, old *world.Node)
		most  time.Duration // of the bind
		later bool          // the old binder hears of it afterwards
	}{
		{"Alive", func(*world.World, *world.Node) {}, 250 * time.Millisecond, false},
		{"Dead", func(w *world.World, old *world.Node) { w.Kill(old) }, 3 * time.Second, false},
		{"Silent", func(w *world.World, old *world.Node) {
			w.Net.SetDrop(func(p world.Packet) bool { return p.From == old.IP || p.To == old.IP })
		}, 3 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			world.Run(t, world.Config{Nodes: 12}, func(t *testing.T, w *world.World) {
				w.Settle(t)
				owner, heir := w.Nodes[1], w.Nodes[2]
				id, first := bind(t, owner.Node, "owner", pipe.CreateOptions{})
				capability := grantTerm(t, owner.Node, heir.Node, id, 0)
				c.first(w, owner)
				began := time.Now()
				bindID(t, heir.Node, id, "heir", pipe.ListenOptions{Capability: capability})
				if took := time.Since(began); took > c.most {
					t.Errorf("moved after %v", took)
				}
				if c.later {
					w.Net.SetDrop(nil)
					w.Pass(halfLife)
				}
				if !owner.Down() && !replaced(first) {
					t.Error("the old binder does not know")
				}
				w.Pass(time.Second) // a bind goes on with the holders beyond its count
				agreeOn(t, w, id, heir, "heir")
			})
		})
	}
}

func TestAPipeThatMovesToAndFroStaysWithTheHighestTerm(t *testing.T) {
	world.Run(t, world.Config{Nodes: 10}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		owner, heir := w.Nodes[3], w.Nodes[7]
		id, last := bind(t, owner.Node, "owner", pipe.CreateOptions{})
		before := bindingWrites(owner) + bindingWrites(heir)
		const moves = 8
		for i := range moves {
			previous := last
			if i%2 == 0 {
				last = bindID(t, heir.Node, id, "heir", pipe.ListenOptions{Capability: grantTerm(t, owner.Node, heir.Node, id, 0)})
			} else {
				last = bindID(t, owner.Node, id, "owner", pipe.ListenOptions{})
			}
			if !replaced(previous) {
				t.Errorf("move %d is done, and the old binder does not know", i)
			}
			if now, was := last.Status().Binding.Term, previous.Status().Binding.Term; now <= was {
				t.Errorf("move %d: term %d after %d", i, now, was)
			}
		}
		agreeOn(t, w, id, owner, "owner")
		// A survey for each grant, a walk for each bind, a word to who is replaced.
		if sent := bindingWrites(owner) + bindingWrites(heir) - before; sent > moves*25 {
			t.Errorf("%d messages for %d moves", sent, moves)
		}
		w.Pass(2 * halfLife)
		agreeOn(t, w, id, owner, "owner")
	})
}

func TestASplitOverlayAgreesWhenItHasHealed(t *testing.T) {
	type parts struct{ left, right []*world.Node }
	for _, c := range []struct {
		name         string
		mine, theirs uint64 // terms on the left and on the right; 0: the owner's own
	}{
		{"TheLeftMovedOn", 9, 0},
		{"TheRightMovedOn", 0, 9},
		{"BothUnderOneTerm", 5, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			world.Run(t, world.Config{Nodes: 12}, func(t *testing.T, w *world.World) {
				w.Settle(t)
				p := parts{w.Nodes[:6], w.Nodes[6:]}
				owner, a, b := p.left[1], p.left[2], p.right[3]
				if c.theirs == 0 {
					owner = p.right[1]
				}
				id, first := bind(t, owner.Node, "owner", pipe.CreateOptions{})
				var capA, capB []byte
				if c.mine > 0 {
					capA = grantTerm(t, owner.Node, a.Node, id, c.mine)
				}
				if c.theirs > 0 {
					capB = grantTerm(t, owner.Node, b.Node, id, c.theirs)
				}
				w.Split(p.left, p.right)
				w.Pass(time.Minute)
				standing := map[*world.Node]*pipe.Listener{owner: first}
				if capA != nil {
					standing[a] = bindID(t, a.Node, id, "a", pipe.ListenOptions{Capability: capA})
				}
				if capB != nil {
					standing[b] = bindID(t, b.Node, id, "b", pipe.ListenOptions{Capability: capB})
				}
				w.Pass(5 * time.Minute)
				w.Net.Heal()
				w.Pass(halfLife)

				names := map[*world.Node]string{owner: "owner", a: "a", b: "b"}
				var winner *world.Node
				for n, l := range standing {
					if replaced(l) {
						continue
					}
					if winner != nil {
						t.Errorf("%s and %s both serve", names[winner], names[n])
					}
					winner = n
				}
				switch {
				case winner == nil:
					t.Fatal("nobody serves the pipe")
				case c.mine > c.theirs && winner != a, c.theirs > c.mine && winner != b, winner == owner:
					t.Fatalf("%s has won", names[winner])
				}
				agreeOn(t, w, id, winner, names[winner])
			})
		})
	}
}

func TestAFlappingAddressMakesNoStorm(t *testing.T) {
	world.Run(t, world.Config{Nodes: 10}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		binder := w.Nodes[4]
		id, _ := bind(t, binder.Node, "pipe", pipe.CreateOptions{})
		before := bindingWrites(binder)
		const flaps = 60
		for range flaps {
			w.Move(t, binder)
			w.Pass(2 * time.Second)
		}
		sent := bindingWrites(binder) - before
		t.Logf("%d messages for %d changes of address", sent, flaps)
		if sent > 10*20 {
			t.Errorf("%d messages for %d changes of address", sent, flaps)
		}
		w.Pass(time.Minute)
		agreeOn(t, w, id, binder, "pipe")
	})
}

func TestAWithdrawnPipeStaysWithdrawn(t *testing.T) {
	world.Run(t, world.Config{Nodes: 10}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		left, right := w.Nodes[:5], w.Nodes[5:]
		binder := left[2]
		id, l := bind(t, binder.Node, "pipe", pipe.CreateOptions{})
		w.Split(left, right)
		w.Pass(time.Minute)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		w.Net.Heal()
		// The right has not heard: what it holds ends with its life, and is taken
		// for live a while longer by a reader whose clock may be wrong.
		w.Pass(2*halfLife + pipe.Skew)
		for range 3 {
			for _, n := range w.Live() {
				if _, err := n.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Fresh: true}); !errors.Is(err, wire.Unbound) {
					t.Errorf("node %d: %v, want unbound", n.Index, err)
				}
			}
			w.Pass(halfLife)
		}
	})
}

func TestAHundredPipesLiveOnWhileTheirHoldersAreReplaced(t *testing.T) {
	const pipes, rounds = 100, 8
	world.Run(t, world.Config{Nodes: 20}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		binder := w.Nodes[9]
		var ids []pipe.ID
		for range pipes {
			id, _ := bind(t, binder.Node, identity.NewNonce().String(), pipe.CreateOptions{})
			ids = append(ids, id)
		}
		w.Pass(time.Minute)
		for round := range rounds {
			before, _ := renewals(t, binder)
			if round%2 == 1 {
				replaceSome(t, w, binder, round/2)
			}
			w.Pass(halfLife)
			messages, sweeps := renewals(t, binder)
			t.Logf("%d pipes: %d messages in %v, %d renewals so far", pipes, messages-before, halfLife, sweeps)
			// One to each node for each sweep; the new ones may need one more.
			if most := 2 * 30; messages-before > most {
				t.Errorf("%d messages for renewals in %v, at most %d expected", messages-before, halfLife, most)
			}
			reader := w.Live()[round]
			if reader == binder {
				reader = w.Live()[round+1]
			}
			for i := round % 4; i < pipes; i += 4 { // all, in four rounds
				id := ids[i]
				r, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Fresh: true})
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if age := time.Since(r.Bindings[0].Binding.Issued); age > halfLife+10*time.Second {
					t.Errorf("round %d: a record is %v old", round, age)
				}
			}
		}
	})
}

// replaceSome kills every eighth node but the first and one other, unannounced,
// and starts as many new ones.
func replaceSome(t *testing.T, w *world.World, but *world.Node, turn int) {
	t.Helper()
	gone := 0
	for i, n := range w.Live() {
		if i%8 == turn+1 && n != but && gone < 3 {
			w.Kill(n)
			gone++
		}
	}
	for range gone {
		w.AddThrough(t, but)
	}
}

// renewals reads how many messages a node's renewals have taken, and how many
// renewals there were.
func renewals(t *testing.T, n *world.Node) (messages, times int) {
	t.Helper()
	families, err := n.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch {
				case l.GetName() != "kind" || l.GetValue() != string(pipe.EventRenew):
				case f.GetName() == "panpipe_pipe_messages_total":
					messages += int(m.GetCounter().GetValue())
				case f.GetName() == "panpipe_pipe_events_total":
					times += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return messages, times
}
