package link_test

import (
	"context"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// judged has a node grant every claim, and hands them out.
func judged() (link.Config, <-chan link.Claim) {
	claims := make(chan link.Claim, 16)
	return link.Config{Authorise: func(_ context.Context, c link.Claim) error {
		claims <- c
		return nil
	}}, claims
}

// TestReclaimAndImportOfOneEpoch: who gave an end away may take it back, and who
// got it may claim it. The first is taken, and the other told.
func TestReclaimAndImportOfOneEpoch(t *testing.T) {
	for name, reclaimed := range map[string]bool{"the old node comes first": true, "the new one": false} {
		t.Run(name, func(t *testing.T) {
			cfg, claims := judged()
			a, old, gaining := quic(t, cfg), quic(t, link.Config{}), quic(t, link.Config{})
			near, far := open(t, a, path(t, a, old, reach.Any), serve(old))
			path(t, gaining, a, reach.Any)
			_, err := far.Write([]byte("before "))
			must(t, err)
			f, err := far.Freeze()
			must(t, err)
			o := link.ImportOptions{Token: []byte("for the new one"), Epoch: 3}
			winner := far
			if reclaimed {
				must(t, f.Reclaim(3, []byte("for the old one")))
			} else {
				winner, err = gaining.links.Import(f.State(), o)
				must(t, err)
			}
			if c := <-claims; c.Epoch != 3 || (string(c.Token) == "for the old one") != reclaimed || c.Untaken {
				t.Errorf("%+v", c)
			}
			_, err = winner.Write([]byte("and after"))
			must(t, err)
			reads(t, near, "before and after")
			loser := far
			if reclaimed {
				loser, err = gaining.links.Import(f.State(), o)
				must(t, err)
			} else {
				must(t, f.Reclaim(3, []byte("for the old one")))
			}
			<-loser.Done()
			if err := loser.Err(); wire.CodeOf(err) != wire.Forbidden {
				t.Errorf("the other hears %v", err)
			}
			works(t, near, winner)
		})
	}
}

// TestReclaimAsksForALaterEpoch than the end has had.
func TestReclaimAsksForALaterEpoch(t *testing.T) {
	a, b := quic(t, link.Config{}), quic(t, link.Config{})
	near, far := open(t, a, path(t, a, b, reach.Any), serve(b))
	works(t, near, far)
	f, err := near.Freeze()
	must(t, err)
	for epoch, token := range map[uint64]int{0: 0, 1<<62 + 1: 0, 1: 2049} {
		if err := f.Reclaim(epoch, make([]byte, token)); err == nil {
			t.Errorf("epoch %d with a token of %d bytes is taken", epoch, token)
		}
	}
	f.Thaw()
	works(t, near, far)
}

// TestJudgeHearsThatItsOwnEndIsNotTaken: of two nodes that have imported one end
// only one will be, so that neither may go by a token alone.
func TestJudgeHearsThatItsOwnEndIsNotTaken(t *testing.T) {
	cfg, claims := judged()
	cfg.Redial = func(ctx context.Context, _ link.Route) (reach.Path, error) {
		<-ctx.Done()
		return reach.Path{}, ctx.Err()
	}
	a, old, gaining := quic(t, link.Config{}), quic(t, link.Config{}), quic(t, cfg)
	near, far := open(t, a, path(t, a, old, reach.Any), serve(old))
	works(t, near, far)
	f, err := far.Freeze()
	must(t, err)
	imported, err := gaining.links.Import(f.State(), link.ImportOptions{})
	must(t, err)
	f.Moved(nil)
	lie(t, a, path(t, a, gaining, reach.Any), resumeFrame(near.ID(), 3, 1, 1))
	if c := <-claims; !c.Untaken || c.Epoch != 1 {
		t.Errorf("%+v", c)
	}
	imported.Reset(wire.Gone, "the test is over")
}
