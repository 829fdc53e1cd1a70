package pipe

import (
	"slices"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// listing is a record with endpoints: private, public, public, a name, relayed,
// public.
func listing(t *testing.T, unproven ...int) Found {
	t.Helper()
	f := Found{Envelope: []byte("record"), Origin: OriginHeld, Unproven: unproven}
	for _, s := range []string{
		"/ip4/10.0.0.7/tcp/1", "/ip4/1.1.1.1/tcp/1", "/ip4/1.1.1.2/tcp/1", "/dns4/a.example/tcp/1",
		"/ip4/1.1.1.3/tcp/1/p2p-circuit", "/ip6/2606::1/tcp/1",
	} {
		a, err := ma.NewMultiaddr(s)
		must(t, err)
		f.Binding.Endpoints = append(f.Binding.Endpoints, a)
	}
	return f
}

// indexes says which endpoints of f are in a list.
func (f Found) indexes(list []ma.Multiaddr) (out []int) {
	for i, a := range f.Binding.Endpoints {
		if ma.Contains(list, a) {
			out = append(out, i)
		}
	}
	return out
}

func TestWhatNobodySawIsUnproven(t *testing.T) {
	for _, c := range []struct{ marks, unproven, seen, few []int }{
		{nil, nil, []int{1, 2, 4, 5}, []int{0, 1, 2, 3, 4, 5}},
		{[]int{2, 3, 4, 5}, []int{2, 3, 4, 5}, []int{1}, []int{0, 1, 2, 3}},
		{unseen(listing(t)).Unproven, []int{1, 2, 3, 4, 5}, nil, []int{0, 1, 2}},
	} {
		f := listing(t, c.marks...)
		for what, got := range map[string][2][]int{
			"unproven": {f.indexes(f.unproven()), c.unproven}, "seen": {f.indexes(f.seen()), c.seen}, "few": {f.indexes(f.few()), c.few},
		} {
			if !slices.Equal(got[0], got[1]) {
				t.Errorf("marked %v: %s %v, want %v", c.marks, what, got[0], got[1])
			}
		}
	}
}

func TestABindersOwnWordProvesNoEndpoint(t *testing.T) {
	var k known
	held, own := listing(t, 3, 4), unseen(listing(t))
	own.Origin = OriginAuthoritative
	if !k.add(held) || !k.add(own) {
		t.Fatal("not taken in")
	}
	if got := k.records[0]; got.Origin != OriginAuthoritative || !slices.Equal(got.Unproven, []int{3, 4}) {
		t.Errorf("%s with %v: the holder's marks are gone", got.Origin, got.Unproven)
	}
	newer := own
	newer.Binding.Seq, newer.Envelope = 9, []byte("newer")
	if !k.add(newer) || !slices.Equal(k.records[0].Unproven, []int{1, 2, 3, 4, 5}) {
		t.Errorf("the marks of another record were taken: %v", k.records[0].Unproven)
	}
}

func TestADialTellsReachWhatIsUnproven(t *testing.T) {
	_, n := loopback(t, 1)
	f := listing(t, 2, 3, 4, 5)
	f.Binding.Binder = identity.PeerPrincipal(n[0].host.ID())
	d := newDialing(n[0].Service, f.Binding.Pipe, DialOptions{})
	all := d.paths(f)
	for _, w := range all {
		if !slices.Equal(f.indexes(w.Unproven), []int{2, 3, 4, 5}) || !slices.Equal(f.indexes(w.Seen), []int{1}) {
			t.Errorf("unproven %v, seen %v", w.Unproven, w.Seen)
		}
	}
	if len(all) == 0 {
		t.Error("no path is tried")
	}
}
