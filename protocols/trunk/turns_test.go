package trunk

import (
	"slices"
	"testing"
)

// sender has so many bytes left, in frames of one size.
type sender struct {
	turn
	left, frame int
	sent        int
}

// batchOf fills one batch from q as pump does, and returns who sent how much.
func batchOf(q *turns, size int, all []*sender) (log [][2]int) {
	for n := 0; q.head != nil && size-n >= leastSpace; {
		i := slices.IndexFunc(all, func(s *sender) bool { return &s.turn == q.head })
		s, allowed, used := all[i], q.allow(size-n), 0
		for s.left > 0 && used+min(s.frame, s.left) <= allowed {
			used += min(s.frame, s.left)
			s.left -= min(s.frame, s.left)
		}
		s.sent += used
		cut := q.done(size-n, allowed, used, s.left > 0, n == 0)
		n += used
		log = append(log, [2]int{i, used})
		if cut {
			break
		}
	}
	return log
}

func TestTurns(t *testing.T) {
	const most = MaxFrame
	for _, test := range []struct {
		name    string
		senders []*sender
		batches [][][2]int
	}{
		{"alone gets all", []*sender{{left: 2 * most, frame: most}}, [][][2]int{{{0, most}}, {{0, most}}, nil}},
		{"small ones share a batch", []*sender{{left: 10, frame: 10}, {left: 20, frame: 20}}, [][][2]int{{{0, 10}, {1, 20}}, nil}},
		{"two bulks take turns", []*sender{{left: most, frame: 1}, {left: most, frame: 1}},
			[][][2]int{{{0, quantum}, {1, quantum}, {0, quantum}, {1, quantum - 12}}, {{1, 12}, {0, quantum}, {1, quantum}, {0, most - 3*quantum}, {1, most - 3*quantum}}, nil}},
		{"small one does not wait for bulk", []*sender{{left: 4 * most, frame: 1}, {left: 5, frame: 5}},
			[][][2]int{{{0, quantum}, {1, 5}, {0, most - quantum - 5}}}},
		{"large frame saves up", []*sender{{left: 40 << 10, frame: 40 << 10}, {left: 1 << 20, frame: 1 << 10}},
			[][][2]int{{{0, 0}, {1, quantum}, {0, 0}, {1, quantum}, {0, 0}}, {{0, 40 << 10}, {1, 23 << 10}}}},
	} {
		var q turns
		for _, s := range test.senders {
			q.push(&s.turn)
			q.push(&s.turn) // changes nothing
		}
		for i, want := range test.batches {
			if got := batchOf(&q, most, test.senders); !slices.Equal(got, want) {
				t.Errorf("%s: batch %d is %v, want %v", test.name, i, got, want)
			}
		}
	}
}

func TestTurnsOfWhoHasNothingEnd(t *testing.T) {
	var q turns
	liar := &sender{left: 1, frame: 2 * MaxFrame}
	q.push(&liar.turn)
	liar.left = 2 * MaxFrame
	batchOf(&q, MaxFrame, []*sender{liar})
	if q.head != nil {
		t.Error("it would be asked for ever")
	}
}

func TestTurnsAreFair(t *testing.T) {
	var q turns
	all := make([]*sender, 5)
	for i := range all {
		all[i] = &sender{left: 1 << 30, frame: 1 << (6 + 2*i)}
		q.push(&all[i].turn)
	}
	for range 100 {
		batchOf(&q, MaxFrame, all)
	}
	least, most := all[0].sent, all[0].sent
	for _, s := range all {
		least, most = min(least, s.sent), max(most, s.sent)
	}
	if least < 15*MaxFrame || most-least > 2*quantum {
		t.Errorf("of 100 batches one got %d bytes, another %d", least, most)
	}
}
