package pipe

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// Beats is the strict order of bindings of one pipe: the higher term, then the
// higher SHA-256 of the binder's bytes, then the higher seq. No clock takes
// part, so that everybody orders alike. On a pipe with many binders only
// records of the same binder have an order: the higher seq. Winners says how
// the order is used.
func (b Binding) Beats(other Binding) bool {
	if b.Pipe != other.Pipe {
		return false
	}
	return rankOf(b).beats(rankOf(other), b.Advertisement.Binders == Exclusive)
}

// rank is what the order looks at.
type rank struct {
	term   uint64
	binder identity.Principal
	seq    uint64
}

func rankOf(b Binding) rank { return rank{term: b.Term, binder: b.Binder, seq: b.Seq} }

func (r rank) beats(o rank, exclusive bool) bool {
	if !exclusive {
		return r.binder == o.binder && r.seq > o.seq
	}
	if r.term != o.term {
		return r.term > o.term
	}
	if r.binder != o.binder {
		a, b := sha256.Sum256(r.binder.Bytes()), sha256.Sum256(o.binder.Bytes())
		return bytes.Compare(a[:], b[:]) > 0
	}
	return r.seq > o.seq
}

// Winners applies the whole order rule to verified records of one pipe and
// returns the indexes of those that serve it at time now, best first.
//
//  1. A record issued more than Skew ahead of now is left out.
//  2. Of each binder only the record with the highest seq counts, expired and
//     withdrawn ones too.
//  3. Exclusive: a term below the highest of them is dead, even if the record
//     with the highest has expired or was withdrawn.
//  4. What is left and live serves the pipe. Exclusive: only the one that
//     beats the others. Many: all, in the order given.
func Winners(records []Binding, now time.Time) []int {
	newest := make(map[identity.Principal]int)
	for i, b := range records {
		if b.Issued.Sub(now) > Skew {
			continue
		}
		if j, ok := newest[b.Binder]; !ok || b.Seq > records[j].Seq {
			newest[b.Binder] = i
		}
	}
	var floor uint64
	exclusive := false
	for _, i := range newest {
		floor = max(floor, records[i].Term)
		exclusive = exclusive || records[i].Advertisement.Binders == Exclusive
	}
	var live []int
	for _, i := range newest {
		if records[i].LiveAt(now) && (!exclusive || records[i].Term == floor) {
			live = append(live, i)
		}
	}
	if !exclusive {
		slices.Sort(live)
		return live
	}
	slices.SortFunc(live, func(i, j int) int {
		switch {
		case records[i].Beats(records[j]):
			return -1
		case records[j].Beats(records[i]):
			return 1
		}
		return cmp.Compare(i, j)
	})
	return live[:min(1, len(live))]
}
