// Package cpace is CPace, a balanced PAKE: two sides that share a short secret
// get a strong common key, and who does not know the secret has one guess for
// each run in which he takes part, and none from listening. It is pure: the
// randomness of a run is handed in.
//
// The suite is CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21, with
// initiator and responder (transcript_ir). testdata/vectors.json has the
// draft's vectors (appendix B.3). With lv(x) = LEB128 length of x ‖ x:
//
//	generator string   lv("CPaceRistretto255") ‖ lv(PRS) ‖ lv(zeros) ‖ lv(CI) ‖ lv(sid),
//	                   with as many zeros (at least none) as make its first three
//	                   parts 128 bytes, a block of SHA-512
//	g                  one-way map of RFC 9496, section 4.3.4, of SHA-512 of that
//	scalar             64 random bytes, little endian, modulo the group's order
//	Ya, Yb             scalar·g, 32 bytes (RFC 9496, section 4.3.2)
//	K                  scalar·the other's share; a share that is no element, or
//	                   a K that is the neutral element, ends the run
//	ISK                SHA-512(lv("CPaceRistretto255_ISK") ‖ lv(sid) ‖ lv(K) ‖
//	                   lv(Ya) ‖ lv(ADa) ‖ lv(Yb) ‖ lv(ADb)), 64 bytes
//
// Why this PAKE: the two sides are equals that meet once, so a balanced one
// fits; CPace won CFRG's selection of those, has a proof that lets runs be
// composed and run side by side, one message each way and no fixed points that
// somebody must be trusted to have drawn (SPAKE2 has two). OPAQUE is for
// servers that store something. Ristretto255 has prime order and one encoding
// for each element, which leaves out the small-subgroup and twist questions of
// X25519.
package cpace

import (
	"crypto/sha512"
	"encoding/binary"
	"io"

	ristretto "github.com/bwesterb/go-ristretto"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Sizes in bytes.
const (
	ShareSize = 32 // of a share
	KeySize   = 64 // of the key that a run gives
)

const (
	dsi        = "CPaceRistretto255"
	scalarSize = 64 // random bytes of a scalar, reduced
	blockSize  = 128
)

// Input is what both sides must have alike for their keys to be equal.
type Input struct {
	Secret  []byte // the shared secret (PRS)
	Channel []byte // names the channel and its two ends (CI)
	Session []byte // unique for each run (sid)
}

// Run is one side of one run, from its own share to the key.
type Run struct {
	session []byte
	scalar  ristretto.Scalar
	share   [ShareSize]byte
}

// Start begins a run with 64 bytes from random. The error is that of random.
func Start(in Input, random io.Reader) (*Run, error) {
	var b [scalarSize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, wire.Errorf(wire.Internal, "cpace: no random bytes: %w", err)
	}
	var scalar ristretto.Scalar
	scalar.SetReduced(&b)
	return start(in, scalar), nil
}

func start(in Input, scalar ristretto.Scalar) *Run {
	r := &Run{session: in.Session, scalar: scalar}
	var g, share ristretto.Point
	g.DeriveDalek(generatorString(in)) // SHA-512 and RFC 9496's one-way map
	share.ScalarMult(&g, &scalar)
	share.BytesInto(&r.share)
	return r
}

// Share returns the own share, for the other side.
func (r *Run) Share() [ShareSize]byte { return r.share }

// Initiator returns the key at the side that spoke first. The far share and
// what came with either share in clear (ADa, ADb) go into it. The error is
// BadRequest for a share that no honest side sends.
func (r *Run) Initiator(own []byte, far [ShareSize]byte, farData []byte) ([KeySize]byte, error) {
	return r.key(far, transcript(r.share, own, far, farData))
}

// Responder is Initiator for the other side.
func (r *Run) Responder(own []byte, far [ShareSize]byte, farData []byte) ([KeySize]byte, error) {
	return r.key(far, transcript(far, farData, r.share, own))
}

func (r *Run) key(far [ShareSize]byte, transcript []byte) (key [KeySize]byte, err error) {
	var y, k, neutral ristretto.Point
	neutral.SetZero()
	if !y.SetBytes(&far) {
		return key, wire.Errorf(wire.BadRequest, "cpace: the share is no group element")
	}
	k.ScalarMult(&y, &r.scalar)
	if k.Equals(&neutral) {
		return key, wire.Errorf(wire.BadRequest, "cpace: the share is the neutral element")
	}
	b := lv(nil, []byte(dsi+"_ISK"))
	b = lv(b, r.session)
	b = lv(b, k.Bytes())
	return sha512.Sum512(append(b, transcript...)), nil
}

func transcript(ya [ShareSize]byte, a []byte, yb [ShareSize]byte, b []byte) []byte {
	return lv(lv(lv(lv(nil, ya[:]), a), yb[:]), b)
}

func generatorString(in Input) []byte {
	b := lv(lv(nil, []byte(dsi)), in.Secret)
	// The length of the zeros has one byte, which the block holds as well.
	zeros := max(0, blockSize-1-len(b))
	b = lv(b, make([]byte, zeros))
	return lv(lv(b, in.Channel), in.Session)
}

// lv appends b with its length before it (lv_cat, prepend_len).
func lv(to, b []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(b))), b...)
}
