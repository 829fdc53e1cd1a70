package pipe

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// ranked returns two actors, the one with the higher hash first.
func ranked(t testing.TB) (high, low actor) {
	high, low = newActor(t, 1), newActor(t, 2)
	a, b := sha256.Sum256(high.who.Bytes()), sha256.Sum256(low.who.Bytes())
	if bytes.Compare(a[:], b[:]) < 0 {
		high, low = low, high
	}
	return high, low
}

func TestHigherTermBeatsAndThenTheHashOfTheBinder(t *testing.T) {
	high, low := ranked(t)
	adv := exclusivePipe(high)
	for _, c := range []struct {
		name        string
		winner, los Binding
	}{
		{"term before hash and seq", bindingBy(t, low, adv, 1, 6), bindingBy(t, high, adv, 9, 5)},
		{"hash before seq", bindingBy(t, high, adv, 1, 5), bindingBy(t, low, adv, 9, 5)},
		{"seq of the same binder", bindingBy(t, low, adv, 2, 5), bindingBy(t, low, adv, 1, 5)},
	} {
		if !c.winner.Beats(c.los) || c.los.Beats(c.winner) {
			t.Errorf("%s: not so", c.name)
		}
	}
	other := exclusivePipe(high)
	other.Name = "other"
	if bindingBy(t, low, adv, 1, 6).Beats(bindingBy(t, low, other, 1, 5)) {
		t.Error("bindings of two pipes are ordered")
	}
	many := manyPipe(high)
	if bindingBy(t, high, many, 9, 9).Beats(bindingBy(t, low, many, 1, 1)) || !bindingBy(t, low, many, 2, 0).Beats(bindingBy(t, low, many, 1, 0)) {
		t.Error("many binders: only the seq of the same binder counts")
	}
}

func TestBeatsIsATotalOrder(t *testing.T) {
	binders := []actor{newActor(t, 1), newActor(t, 2), newActor(t, 3)}
	adv := exclusivePipe(binders[0])
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Binding {
			return Binding{
				Pipe: adv.ID(), Advertisement: adv,
				Binder: rapid.SampledFrom(binders).Draw(t, name+" binder").who,
				Term:   rapid.Uint64Range(1, 3).Draw(t, name+" term"),
				Seq:    rapid.Uint64Range(1, 3).Draw(t, name+" seq"),
			}
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		same := a.Binder == b.Binder && a.Term == b.Term && a.Seq == b.Seq
		if a.Beats(b) == b.Beats(a) && !same || same && a.Beats(b) {
			t.Fatalf("not exactly one of two beats the other: %+v %+v", a, b)
		}
		if a.Beats(b) && b.Beats(c) && !a.Beats(c) {
			t.Fatalf("not transitive: %+v %+v %+v", a, b, c)
		}
	})
}

func TestWinnersDoNotDependOnTheOrderOfRecords(t *testing.T) {
	binders := []actor{newActor(t, 1), newActor(t, 2), newActor(t, 3)}
	adv := exclusivePipe(binders[0])
	rapid.Check(t, func(t *rapid.T) {
		type identity struct{ binder, seq int }
		seen := map[identity]bool{}
		var records []Binding
		for range rapid.IntRange(0, 8).Draw(t, "records") {
			i, seq := rapid.IntRange(0, 2).Draw(t, "binder"), rapid.IntRange(1, 4).Draw(t, "seq")
			if seen[identity{i, seq}] {
				continue // an honest binder signs one record a seq
			}
			seen[identity{i, seq}] = true
			records = append(records, Binding{
				Pipe: adv.ID(), Advertisement: adv, Binder: binders[i].who, Seq: uint64(seq), Term: rapid.Uint64Range(1, 3).Draw(t, "term"),
				Issued: recordEpoch.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "issued")) * time.Minute), Life: 20 * time.Minute,
				Withdrawn: rapid.Bool().Draw(t, "withdrawn"),
			})
		}
		shuffled := rapid.Permutation(records).Draw(t, "shuffled")
		a, b := Winners(records, recordEpoch), Winners(shuffled, recordEpoch)
		if len(a) != len(b) || len(a) > 1 {
			t.Fatalf("%v %v", a, b)
		}
		if len(a) == 1 && (records[a[0]].Binder != shuffled[b[0]].Binder || !records[a[0]].LiveAt(recordEpoch)) {
			t.Fatalf("%+v %+v", records[a[0]], shuffled[b[0]])
		}
	})
}

func TestWinnersOfAnExclusivePipe(t *testing.T) {
	high, low := ranked(t)
	adv := exclusivePipe(high)
	old := func(b Binding) Binding { b.Issued = recordEpoch.Add(-2 * time.Hour); return b }
	future := func(b Binding) Binding { b.Issued = recordEpoch.Add(time.Hour); return b }
	for name, c := range map[string]struct {
		records []Binding
		want    []int
	}{
		"none":                             {nil, nil},
		"one":                              {[]Binding{bindingBy(t, low, adv, 1, 1)}, []int{0}},
		"higher term":                      {[]Binding{bindingBy(t, high, adv, 1, 1), bindingBy(t, low, adv, 1, 2)}, []int{1}},
		"same term, higher hash":           {[]Binding{bindingBy(t, low, adv, 9, 1), bindingBy(t, high, adv, 1, 1)}, []int{1}},
		"tombstone of the same binder":     {[]Binding{bindingBy(t, low, adv, 1, 1), tombstone(bindingBy(t, low, adv, 1, 1))}, nil},
		"bound again after a tombstone":    {[]Binding{bindingBy(t, low, adv, 3, 1), tombstone(bindingBy(t, low, adv, 1, 1))}, []int{0}},
		"expired tombstone still counts":   {[]Binding{bindingBy(t, low, adv, 1, 1), old(tombstone(bindingBy(t, low, adv, 1, 1)))}, nil},
		"expired higher term kills lower":  {[]Binding{bindingBy(t, low, adv, 1, 1), old(bindingBy(t, high, adv, 1, 2))}, nil},
		"tombstone with the same term":     {[]Binding{bindingBy(t, low, adv, 1, 1), tombstone(bindingBy(t, high, adv, 1, 1))}, []int{0}},
		"what comes from the future":       {[]Binding{bindingBy(t, low, adv, 1, 1), future(bindingBy(t, high, adv, 1, 2))}, []int{0}},
		"older record with a higher term ": {[]Binding{bindingBy(t, low, adv, 2, 1), bindingBy(t, low, adv, 1, 2)}, []int{0}},
	} {
		if got := Winners(c.records, recordEpoch); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, expected %v", name, got, c.want)
		}
	}
}

func TestAllLiveBindersOfAManyPipeWin(t *testing.T) {
	high, low := ranked(t)
	adv := manyPipe(high)
	records := []Binding{
		bindingBy(t, low, adv, 1, 0), bindingBy(t, high, adv, 1, 3), bindingBy(t, newActor(t, 3), adv, 1, 0),
		tombstone(bindingBy(t, high, adv, 1, 3)), bindingBy(t, low, adv, 2, 0),
	}
	if got := Winners(records, recordEpoch); !slices.Equal(got, []int{2, 4}) {
		t.Error(got)
	}
}
