package pipe

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Answer is a pb.Answer with its fields checked. Envelopes in it are not yet
// verified.
type Answer struct {
	Code          wire.Code
	Reason        string         // at most MaxReason bytes, safe to print
	Nonce         identity.Nonce // of the query; zero for other requests
	Found         bool
	Records       []AnswerRecord
	Closer        []peer.AddrInfo
	Results       []StoreResult
	Revocations   [][]byte  // envelopes
	Advertisement []byte    // canonical bytes, or nil
	Clock         time.Time // of the answering node; zero if it does not tell
	Features      uint64
}

// AnswerRecord is a binding as the answering node has it.
type AnswerRecord struct {
	Envelope []byte
	Unproven []int         // indexes of endpoints, rising
	Age      time.Duration // since that node received it, whole seconds
	Origin   Origin
}

// StoreResult tells what became of one record of a store.
type StoreResult struct {
	Code   wire.Code
	Reason string
	Outcome
}

// Outcome says what a record met at a holder.
type Outcome struct {
	// Displaced are the envelopes of other binders' live bindings that it displaced.
	Displaced [][]byte
	// Standing is the envelope that stands in its way: the winning binding
	// (Taken), the binder's own newer record (Expired), the revocation
	// (Forbidden). Nil where the holder no longer has it.
	Standing []byte
}

// Err returns the result as an error, nil for a record that was stored.
func (r StoreResult) Err() error { return codeError(r.Code, r.Reason) }

// Err returns the answer's code and reason as an error, nil for OK.
func (a Answer) Err() error { return codeError(a.Code, a.Reason) }

func codeError(code wire.Code, reason string) error {
	switch {
	case code == wire.OK:
		return nil
	case reason == "":
		return code
	}
	return wire.Errorf(code, "%s", reason)
}

// ParseAnswer checks a received answer. A malformed nonce is BadRequest; what
// is above a cap or nonsense in a list is left out. self is the asker, who is
// never closer than itself.
func ParseAnswer(m *pb.Answer, self peer.ID) (Answer, error) {
	a := Answer{
		Code:     codeOf(m.GetCode()),
		Reason:   clip(m.GetReason()),
		Found:    m.GetFound(),
		Closer:   PeersFromPB(m.GetCloser(), self),
		Features: m.GetFeatures(),
	}
	switch n := m.GetNonce(); len(n) {
	case 0:
	case NonceSize:
		a.Nonce = identity.Nonce(n)
	default:
		return Answer{}, wire.Errorf(wire.BadRequest, "answer: nonce of %d bytes, expected %d", len(n), NonceSize)
	}
	for _, r := range capped(m.GetRecords(), MaxAnswerRecords) {
		if n := len(r.GetEnvelope()); n > 0 && n <= MaxBinding {
			a.Records = append(a.Records, answerRecord(r))
		}
	}
	for _, r := range capped(m.GetResults(), MaxStoreRecords) {
		a.Results = append(a.Results, storeResult(r))
	}
	for _, r := range capped(m.GetRevocations(), MaxAnswerRecords) {
		if len(r) > 0 && len(r) <= MaxRevocation {
			a.Revocations = append(a.Revocations, r)
		}
	}
	if n := len(m.GetAdvertisement()); n > 0 && n <= MaxAdvertisement {
		a.Advertisement = m.GetAdvertisement()
	}
	if ms := m.GetClockMs(); ms > 0 && ms <= maxMillis {
		a.Clock = time.UnixMilli(int64(ms)).UTC()
	}
	return a, nil
}

func answerRecord(m *pb.HeldRecord) AnswerRecord {
	r := AnswerRecord{
		Envelope: m.GetEnvelope(),
		Age:      time.Duration(m.GetAgeSeconds()) * time.Second,
		Origin:   OriginCached,
	}
	switch m.GetOrigin() {
	case pb.Origin_ORIGIN_AUTHORITATIVE:
		r.Origin = OriginAuthoritative
	case pb.Origin_ORIGIN_HELD:
		r.Origin = OriginHeld
	}
	last := -1
	for _, i := range capped(m.GetUnproven(), MaxEndpoints) {
		if int64(i) > int64(last) && i < MaxEndpoints {
			r.Unproven = append(r.Unproven, int(i))
			last = int(i)
		}
	}
	return r
}

func storeResult(m *pb.StoreResult) StoreResult {
	r := StoreResult{Code: codeOf(m.GetCode()), Reason: clip(m.GetReason())}
	for _, e := range capped(m.GetDisplaced(), MaxAnswerRecords) {
		if len(e) > 0 && len(e) <= MaxBinding {
			r.Displaced = append(r.Displaced, e)
		}
	}
	if n := len(m.GetStanding()); n > 0 && n <= MaxBinding {
		r.Standing = m.GetStanding()
	}
	return r
}

// Message returns the answer as it is sent. What goes beyond MaxAnswer is left
// out: first displaced and standing envelopes, then revocations and records
// from the last on; results and closer peers always fit.
func (a Answer) Message() *pb.Answer {
	m := &pb.Answer{
		Code: uint32(a.Code), Reason: clip(a.Reason), Found: a.Found,
		Closer: PeersToPB(a.Closer), Features: a.Features,
	}
	if a.Nonce != (identity.Nonce{}) {
		m.Nonce = a.Nonce[:]
	}
	if !a.Clock.IsZero() {
		m.ClockMs = millis(a.Clock)
	}
	for _, r := range capped(a.Results, MaxStoreRecords) {
		m.Results = append(m.Results, &pb.StoreResult{Code: uint32(r.Code), Reason: clip(r.Reason)})
	}
	if len(a.Advertisement) <= MaxAdvertisement {
		m.Advertisement = a.Advertisement
	}
	room := budget(MaxAnswer - proto.Size(m))
	for _, r := range capped(a.Records, MaxAnswerRecords) {
		if held := r.message(); room.take(proto.Size(held)) {
			m.Records = append(m.Records, held)
		}
	}
	for _, r := range capped(a.Revocations, MaxAnswerRecords) {
		if room.take(len(r)) {
			m.Revocations = append(m.Revocations, r)
		}
	}
	for i, r := range m.Results {
		if s := a.Results[i].Standing; len(s) > 0 && room.take(len(s)) {
			r.Standing = s
		}
		for _, d := range capped(a.Results[i].Displaced, MaxAnswerRecords) {
			if room.take(len(d)) {
				r.Displaced = append(r.Displaced, d)
			}
		}
	}
	return m
}

func (r AnswerRecord) message() *pb.HeldRecord {
	m := &pb.HeldRecord{
		Envelope:   r.Envelope,
		AgeSeconds: uint32(min(max(r.Age, 0)/time.Second, 1<<31)),
		Origin:     pb.Origin_ORIGIN_CACHED,
	}
	switch r.Origin {
	case OriginAuthoritative:
		m.Origin = pb.Origin_ORIGIN_AUTHORITATIVE
	case OriginHeld:
		m.Origin = pb.Origin_ORIGIN_HELD
	}
	for _, i := range r.Unproven {
		m.Unproven = append(m.Unproven, uint32(i))
	}
	return m
}

// budget counts down the bytes of a message.
type budget int

// fieldOverhead is the most that tag and lengths of an element and of the
// message around it can add.
const fieldOverhead = 16

func (b *budget) take(size int) bool {
	if size += fieldOverhead; size > int(*b) {
		return false
	}
	*b -= budget(size)
	return true
}

func capped[T any](list []T, n int) []T { return list[:min(len(list), n)] }

// codeOf maps a code that this version does not know to Internal, since nothing
// can be decided on it.
func codeOf(n uint32) wire.Code {
	if c := wire.Code(n); c.Known() {
		return c
	}
	return wire.Internal
}

// reasonOf is what the far side is told of an error: what failed, and what
// would help at this node.
func reasonOf(err error) string {
	if next := wire.NextOf(err); next != "" {
		return clip(err.Error() + " (there: " + next + ")")
	}
	return clip(err.Error())
}

// clip makes words from a peer short and safe to print.
func clip(s string) string {
	if len(s) > MaxReason {
		s = strings.ToValidUTF8(s[:MaxReason-len("…")], "") + "…"
	}
	s = strings.ToValidUTF8(s, "")
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !plainText(string(r)) {
			return -1
		}
		return r
	}, s)
}
