package connections

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestWhoIsPartedWith(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	node := func(name string, value int, age time.Duration) standing {
		return standing{peer: peer.ID(name), conns: 1, value: value, since: now.Add(-age)}
	}
	busy := func(s standing) standing { s.busy = true; return s }
	protected := func(s standing) standing { s.protected = true; return s }
	twice := func(s standing) standing { s.conns = 2; return s }
	many := func(n int, s standing) (all []standing) { return slices.Repeat([]standing{s}, n) }

	for name, c := range map[string]struct {
		all   []standing
		limit int
		want  []peer.ID
		again time.Duration
	}{
		"at the limit nobody": {
			all: append(many(7, node("old", 10, time.Hour)), node("new", 0, 0)), limit: 8,
		},
		"the least useful": {
			all:   append(many(8, node("old", 12, time.Hour)), node("low", 10, time.Hour)),
			limit: 8, want: []peer.ID{"low"},
		},
		"until a tenth is free": {
			all:   append(many(19, node("old", 12, time.Hour)), node("c", 3, time.Hour), node("a", 1, time.Hour), node("b", 2, time.Hour)),
			limit: 20, want: []peer.ID{"a", "b", "c", "old"},
		},
		"of equals the idle": {
			all:   append(many(8, busy(node("busy", 0, time.Minute))), node("idle", 0, time.Hour)),
			limit: 8, want: []peer.ID{"idle"},
		},
		"of equals the younger": {
			all:   append(many(8, node("old", 0, time.Hour)), node("young", 0, time.Minute)),
			limit: 8, want: []peer.ID{"young"},
		},
		"all connections of a node": {
			all:   append(many(7, node("old", 5, time.Hour)), twice(node("twice", 1, time.Hour))),
			limit: 8, want: []peer.ID{"twice"},
		},
		"not a new one": {
			all:   append(many(8, node("old", 5, time.Hour)), node("new", 0, time.Second)),
			limit: 8, want: []peer.ID{"old"},
		},
		"a new one in time": {
			all:   append(many(8, node("old", 5, time.Hour)), node("new", 0, idleGrace)),
			limit: 8, want: []peer.ID{"new"},
		},
		"not a new one that is busy": {
			all:   append(many(8, node("old", 5, time.Hour)), busy(node("new", 0, idleGrace))),
			limit: 8, want: []peer.ID{"old"},
		},
		"a busy one is not new forever": {
			all:   append(many(8, node("old", 5, time.Hour)), busy(node("new", 0, busyGrace))),
			limit: 8, want: []peer.ID{"new"},
		},
		"not a protected one, though it counts": {
			all:   append(many(5, protected(node("pipe", 0, time.Hour))), many(4, node("old", 5, time.Hour))...),
			limit: 8,
		},
		"half of the limit is kept from newcomers": {
			all:   append(many(8, node("old", 5, time.Hour)), many(20, node("new", 9, time.Second))...),
			limit: 8, want: []peer.ID{"old", "old", "old", "old"}, again: idleGrace - time.Second,
		},
		"a busy newcomer is looked at soon": {
			all:   append(many(4, node("old", 5, time.Hour)), many(5, busy(node("new", 9, 19*time.Second)))...),
			limit: 8, again: time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, again := choose(c.all, c.limit, now)
			if !slices.Equal(got, c.want) || again != c.again {
				t.Errorf("%q, again in %v; want %q, %v", got, again, c.want, c.again)
			}
		})
	}
}
