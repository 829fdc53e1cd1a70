package pipe

import (
	"bytes"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// known is what has been proven about one pipe: the newest record of each
// binder, tombstones too. It has no clock and is not locked.
type known struct{ records []Found }

// find returns the record with exactly this envelope.
func (k *known) find(envelope []byte) *Found {
	for i := range k.records {
		if bytes.Equal(k.records[i].Envelope, envelope) {
			return &k.records[i]
		}
	}
	return nil
}

// add takes a verified record in, and reports whether anything changed. Of one
// binder only the newest stays; the same record again only raises its origin.
func (k *known) add(f Found) bool {
	for i := range k.records {
		have := &k.records[i]
		if have.Binding.Binder != f.Binding.Binder {
			continue
		}
		newer := f.Binding.Seq > have.Binding.Seq ||
			f.Binding.Seq == have.Binding.Seq && have.Origin != OriginAuthoritative && f.Origin == OriginAuthoritative
		if newer {
			*have = f
		}
		return newer
	}
	if len(k.records) >= MaxAnswerRecords {
		k.records = slices.Delete(k.records, 0, 1)
	}
	k.records = append(k.records, f)
	return true
}

// drop removes the records that keep does not want.
func (k *known) drop(gone func(Binding) bool) {
	k.records = slices.DeleteFunc(k.records, func(f Found) bool { return gone(f.Binding) })
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

// highestTerm is the highest that any record names.
func (k *known) highestTerm() uint64 {
	term := uint64(0)
	for _, f := range k.records {
		term = max(term, f.Binding.Term)
	}
	return term
}

// size counts bytes for the cache's cap.
func (k *known) size() int {
	n := 0
	for _, f := range k.records {
		n += len(f.Envelope) + RecordOverhead
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
