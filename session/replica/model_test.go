package replica

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// world is two accounts with up to three devices each.
type world struct {
	t        *rapid.T
	accounts [2]identity.Principal
	nodes    []*modelNode
}

type modelNode struct {
	account int
	journal *journal
	ends    map[int]*end
	wrote   []Entry
}

func (w *world) owner(d identity.Principal) int {
	for _, n := range w.nodes {
		if n.journal.self == d {
			return n.account
		}
	}
	return -1
}

func (w *world) config(self, far int) Config {
	s, f := w.nodes[self], w.nodes[far]
	return Config{
		Self: s.journal.self, Own: s.account == f.account, With: w.accounts[f.account],
		Ours:   func(d identity.Principal) bool { return w.owner(d) == s.account },
		Theirs: func(d identity.Principal) bool { return w.owner(d) == f.account },
	}
}

func (w *world) connect(a, b int) {
	if a == b || w.nodes[a].ends[b] != nil {
		return
	}
	x, y := join(w.nodes[a].journal, w.nodes[b].journal, w.config(a, b), w.config(b, a))
	w.nodes[a].ends[b], w.nodes[b].ends[a] = x, y
}

func (w *world) cut(a, b int) {
	delete(w.nodes[a].ends, b)
	delete(w.nodes[b].ends, a)
}

// changed tells all sessions of a node what its journal holds.
func (w *world) changed(n int, key Key) {
	for _, f := range w.sorted(n) {
		w.nodes[n].ends[f].Mine(key, w.nodes[n].journal.logs[key].Run())
	}
}

func (w *world) sorted(n int) (far []int) {
	for f := range w.nodes[n].ends {
		far = append(far, f)
	}
	slices.Sort(far)
	return far
}

func (w *world) write(n int) {
	node := w.nodes[n]
	other := w.accounts[1-node.account]
	e := node.journal.write(other, Text, fmt.Sprintf("%d/%d", n, len(node.wrote)))
	node.wrote = append(node.wrote, e)
	w.changed(n, e.Key)
}

func (w *world) take(n, f int) bool {
	taken, err := w.nodes[n].ends[f].take(func(k Key) { w.changed(n, k) })
	if err != nil {
		w.t.Fatalf("node %d refused node %d: %v", n, f, err)
	}
	return taken
}

// settle connects everybody and runs until nothing moves.
func (w *world) settle() {
	for a := range w.nodes {
		for b := range a {
			w.cut(a, b)
			w.connect(a, b)
		}
	}
	for moved := true; moved; {
		moved = false
		for n := range w.nodes {
			for _, f := range w.sorted(n) {
				moved = w.nodes[n].ends[f].send() || moved
				for w.take(n, f) {
					moved = true
				}
			}
		}
	}
}

// view is what a device shows of the conversation, in the order of places.
func (w *world) view(n int) []string {
	j := w.nodes[n].journal
	var all []Entry
	for key, log := range j.logs {
		if log.Low != 1 || uint64(len(j.entries[key])) != log.High {
			w.t.Fatalf("node %d holds %d to %d of a log, %d entries", n, log.Low, log.High, len(j.entries[key]))
		}
		for _, e := range j.entries[key] {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		x, y := j.places[a.ID], j.places[b.ID]
		return slices.Compare(x[:], y[:])
	})
	last := map[Author]uint64{}
	var texts []string
	for _, e := range all {
		if e.Counter != last[e.Author]+1 {
			w.t.Fatalf("node %d shows %d after %d of one author", n, e.Counter, last[e.Author])
		}
		last[e.Author] = e.Counter
		texts = append(texts, string(e.Body))
	}
	return texts
}

// newWorld draws how many devices the two accounts have.
func newWorld(t *testing.T, rt *rapid.T) *world {
	w := &world{t: rt, accounts: [2]identity.Principal{account(t, "alice"), account(t, "bob")}}
	for a := range w.accounts {
		for range rapid.IntRange(1, 3).Draw(rt, "devices") {
			n := len(w.nodes)
			w.nodes = append(w.nodes, &modelNode{account: a, ends: map[int]*end{}, journal: newJournal(device(t, fmt.Sprint("d", n)), uint64(n+1))})
		}
	}
	return w
}

// actions are what may happen at any time.
func (w *world) actions() map[string]func(*rapid.T) {
	pick := rapid.IntRange(0, len(w.nodes)-1)
	return map[string]func(*rapid.T){
		"write": func(rt *rapid.T) {
			n := pick.Draw(rt, "node")
			for range rapid.SampledFrom([]int{1, 1, 3, 50}).Draw(rt, "messages") {
				w.write(n)
			}
		},
		"connect": func(rt *rapid.T) { w.connect(pick.Draw(rt, "a"), pick.Draw(rt, "b")) },
		"cut":     func(rt *rapid.T) { w.cut(pick.Draw(rt, "a"), pick.Draw(rt, "b")) },
		"restart": func(rt *rapid.T) { w.restore(pick.Draw(rt, "node"), nil) },
		"move": func(rt *rapid.T) {
			n := pick.Draw(rt, "node")
			for _, f := range w.sorted(n) {
				for range rapid.IntRange(0, 4).Draw(rt, "turns") {
					w.nodes[n].ends[f].send()
				}
				for range rapid.IntRange(0, 40).Draw(rt, "frames") {
					if !w.take(n, f) {
						break
					}
				}
			}
		},
	}
}

// restore ends all sessions of a node, which then goes on with this journal; nil
// is the one it had.
func (w *world) restore(n int, j *journal) {
	for _, f := range w.sorted(n) {
		w.cut(n, f)
	}
	last := w.nodes[n].journal.random
	if j == nil {
		j = w.nodes[n].journal
	}
	w.nodes[n].journal = j.copy(0)
	w.nodes[n].journal.random = last + 1<<24
}

// TestAllDevicesConverge: whatever is cut, late, repeated or restarted, in the
// end every device shows the same, each message once, and nothing is missing.
func TestAllDevicesConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt)
		rt.Repeat(w.actions())
		w.settle()
		want := 0
		for n := range w.nodes {
			want += len(w.nodes[n].wrote)
		}
		first := w.view(0)
		for n := range w.nodes {
			if got := w.view(n); !slices.Equal(got, first) || len(got) != want {
				rt.Fatalf("node %d shows %d of %d messages, or others than node 0:\n%q\n%q", n, len(got), want, got, first)
			}
		}
	})
}

// TestBackupsComeBackAtAnyTime: whoever is put back to an older journal, nobody
// refuses anybody, what is held is never replaced, and what is written after all
// have met arrives everywhere.
func TestBackupsComeBackAtAnyTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt)
		pick, backups := rapid.IntRange(0, len(w.nodes)-1), map[int]*journal{}
		actions := w.actions()
		actions["backup"] = func(rt *rapid.T) {
			n := pick.Draw(rt, "node")
			backups[n] = w.nodes[n].journal.copy(0)
		}
		actions["restore"] = func(rt *rapid.T) {
			if n := pick.Draw(rt, "node"); backups[n] != nil {
				w.restore(n, backups[n])
			}
		}
		rt.Repeat(actions)
		w.settle()
		for n := range w.nodes {
			w.nodes[n].wrote = nil
			w.write(n)
		}
		w.settle()
		for n := range w.nodes {
			after := w.nodes[n].wrote[0]
			for o := range w.nodes {
				key := after.Key
				key.With = w.accounts[1-w.nodes[o].account]
				if held := w.nodes[o].journal.entries[key][after.Counter]; held.ID != after.ID {
					rt.Errorf("what node %d writes after all have met does not reach node %d", n, o)
				}
			}
		}
	})
}
