package reach

import (
	"encoding/binary"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// The opening of a stream is multistream-select 1.0.0 with one proposal: each
// side sends tokens, uvarint length ‖ text ‖ '\n' (the length counts the
// newline). https://github.com/multiformats/multistream-select
const (
	multistream = "/multistream/1.0.0"
	refusal     = "na"
	maxToken    = 1024 // bytes of one token that are read at most
)

// proposal is what the opener sends: the header and the one protocol it wants.
func proposal(id protocol.ID) []byte {
	return appendToken(appendToken(nil, multistream), string(id))
}

func appendToken(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)+1))
	b = append(b, text...)
	return append(b, '\n')
}

// judgeReply looks at what has been read of the answer to proposal(id). It
// returns how many more bytes can be read without touching the data that
// follows; 0 when both sides agree. A refusal is Unsupported, bytes that are
// no answer are BadRequest.
func judgeReply(got []byte, id protocol.ID) (need int, err error) {
	for _, want := range []string{multistream, string(id)} {
		size, n := binary.Uvarint(got)
		switch {
		case n == 0 && len(got) < binary.MaxVarintLen16:
			return 1, nil
		case n <= 0 || size == 0 || size > maxToken:
			return 0, wire.Errorf(wire.BadRequest, "opening a stream for %s: the answer is not multistream-select", id)
		case uint64(len(got)-n) < size:
			return int(size) - (len(got) - n), nil
		}
		token := string(got[n : n+int(size)])
		switch token {
		case want + "\n":
			got = got[n+int(size):]
		case refusal + "\n":
			return 0, notSpoken(id, nil)
		default:
			return 0, wire.Errorf(wire.BadRequest, "opening a stream for %s: the answer is %.100q", id, token)
		}
	}
	return 0, nil
}

// notSpoken says that the far side does not have the protocol; err, if any, is
// what the stream ended with.
func notSpoken(id protocol.ID, err error) error {
	return (&wire.Error{Code: wire.Unsupported, What: "the peer does not speak " + string(id), Err: err}).
		WithNext("it may be of another overlay, or of another version")
}
