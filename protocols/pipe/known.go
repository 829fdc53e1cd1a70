package pipe

import (
	"bytes"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// known is what has been proven about one pipe: the newest record of each
// binder, tombstones too. It has no clock and is not locked.
//
// Of an exclusive pipe it remembers the highest term of a record that a
// revocation has voided. What has a lower term was dead before, and does not
// come to life again by old copies: it counts only if its binder itself says so.
type known struct {
	records []Found
	voided  uint64
}

// find returns the record with exactly this envelope.
func (k *known) find(envelope []byte) (Found, bool) {
	for _, f := range k.records {
		if bytes.Equal(f.Envelope, envelope) {
			return f, true
		}
	}
	return Found{}, false
}

// add takes a verified record in, and reports whether anything changed. Of one
// binder only the newest stays; the same record again only raises its origin.
func (k *known) add(f Found) bool {
	if k.doubts(f) {
		return false
	}
	for i := range k.records {
		have := &k.records[i]
		if have.Binding.Binder != f.Binding.Binder {
			continue
		}
		newer := f.Binding.Seq > have.Binding.Seq ||
			f.Binding.Seq == have.Binding.Seq && have.Origin != OriginAuthoritative && f.Origin == OriginAuthoritative
		if newer {
			if bytes.Equal(have.Envelope, f.Envelope) {
				f.Unproven = have.Unproven // the binder itself has seen nothing
			}
			*have = f
		}
		return newer
	}
	k.records = append(k.records, f)
	if len(k.records) <= MaxAnswerRecords {
		return true
	}
	least := k.least()
	changed := least < len(k.records)-1
	k.records = slices.Delete(k.records, least, least+1)
	return changed
}

// least is the record that is worth the least: the one with the lowest term,
// and of these the one that ends first. The highest term stays.
func (k *known) least() int {
	least := 0
	for i, f := range k.records {
		a, b := f.Binding, k.records[least].Binding
		if a.Term < b.Term || a.Term == b.Term && a.Expires().Before(b.Expires()) {
			least = i
		}
	}
	return least
}

// doubts reports that only f's binder itself can vouch for it.
func (k *known) doubts(f Found) bool {
	return f.Binding.Term < k.voided && f.Origin != OriginAuthoritative && !f.Binding.Withdrawn
}

// void removes the records that a revocation has ended, and what they had put
// an end to. It reports whether anything changed.
func (k *known) void(revoked func(Binding) bool) bool {
	before, floor := len(k.records), k.voided
	for _, f := range k.records {
		if f.Binding.Advertisement.Binders == Exclusive && revoked(f.Binding) {
			floor = max(floor, f.Binding.Term)
		}
	}
	k.records = slices.DeleteFunc(k.records, func(f Found) bool { return revoked(f.Binding) })
	k.raise(floor)
	return len(k.records) != before
}

// raise notes the term of a record that a revocation has voided.
func (k *known) raise(term uint64) {
	if term > k.voided {
		k.voided = term
		k.records = slices.DeleteFunc(k.records, func(f Found) bool { return f.Binding.Term < term })
	}
}

// live returns those that serve the pipe at time now, best first.
func (k *known) live(now time.Time) []Found {
	bindings := make([]Binding, len(k.records))
	for i, f := range k.records {
		bindings[i] = f.Binding
	}
	var out []Found
	for _, i := range Winners(bindings, now) {
		out = append(out, k.records[i])
	}
	return out
}

// tells reports that a record is given to others: it is in time, or it has the
// highest term and proves that lower ones are dead, for as long as holders
// remember it.
func (k *known) tells(f Found, now time.Time) bool {
	err := f.Binding.InTime(now)
	if wire.CodeOf(err) != wire.Expired || f.Binding.Advertisement.Binders != Exclusive {
		return err == nil
	}
	return f.Binding.Term == k.highestTerm() && now.Before(f.Binding.Expires().Add(HighWater))
}

// highestTerm is the highest that any record names.
func (k *known) highestTerm() uint64 {
	term := k.voided
	for _, f := range k.records {
		term = max(term, f.Binding.Term)
	}
	return term
}

func (k *known) clone() known { return known{slices.Clone(k.records), k.voided} }

// aged returns f with its age at time now.
func (f Found) aged(now time.Time) Found {
	if !f.received.IsZero() {
		f.Age += max(0, now.Sub(f.received))
		f.received = now
	}
	return f
}

func agedAll(all []Found, now time.Time) []Found {
	out := slices.Clone(all)
	for i := range out {
		out[i] = out[i].aged(now)
	}
	return out
}

// size counts bytes for the cache's cap.
func (k *known) size() int {
	n := 0
	for _, f := range k.records {
		n += len(f.Envelope) + 2*len(f.Binding.Proof) + RecordOverhead
	}
	return n
}

// offering returns the records with an endpoint on transport t.
func offering(all []Found, t reach.Transport) []Found {
	if t == reach.Any {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(f Found) bool { return !f.Binding.Offers(t) })
}

// offered names the transports on which the bindings have endpoints, each once.
func offered(all []Found) []reach.Transport {
	var out []reach.Transport
	for _, f := range all {
		for _, t := range transportsOf(f.Binding) {
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	slices.Sort(out)
	return out
}

// transportsOf returns the transports of a binding's endpoints, in their order,
// each once.
func transportsOf(b Binding) []reach.Transport {
	var out []reach.Transport
	for _, e := range b.Endpoints {
		if t := reach.TransportOf(e); t != reach.Any && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
