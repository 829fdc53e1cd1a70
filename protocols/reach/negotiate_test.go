package reach

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const someID protocol.ID = "/panpipe/pipe-conn/1"

func TestProposalHasExactBytes(t *testing.T) {
	const want = "132f6d756c746973747265616d2f312e302e300a" + "152f70616e706970652f706970652d636f6e6e2f310a"
	if got := hex.EncodeToString(proposal(someID)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestReplyIsReadToItsLastByteAndNoFurther(t *testing.T) {
	whole := proposal(someID) // the far side agrees by saying the same
	got := []byte{}
	for {
		need, err := judgeReply(got, someID)
		if err != nil {
			t.Fatal(err)
		}
		if need == 0 {
			break
		}
		if len(got)+need > len(whole) {
			t.Fatalf("after %d bytes it asks for %d more, past the end", len(got), need)
		}
		got = whole[:len(got)+need]
	}
	if len(got) != len(whole) {
		t.Errorf("agreed after %d bytes of %d", len(got), len(whole))
	}
}

func TestEveryTruncatedReplyAsksForMore(t *testing.T) {
	whole := proposal(someID)
	for n := range len(whole) {
		if need, err := judgeReply(whole[:n], someID); err != nil || need < 1 || need > len(whole)-n {
			t.Errorf("%d bytes: need %d, %v", n, need, err)
		}
	}
}

func TestRefusalAndNonsenseAreToldApart(t *testing.T) {
	header := appendToken(nil, multistream)
	for name, c := range map[string]struct {
		reply []byte
		want  wire.Code
	}{
		"refusal":          {appendToken(bytes.Clone(header), "na"), wire.Unsupported},
		"other protocol":   {appendToken(bytes.Clone(header), "/other/1"), wire.BadRequest},
		"other header":     {appendToken(nil, "/multistream/2.0.0"), wire.BadRequest},
		"no newline":       {append(bytes.Clone(header), 2, 'n', 'a'), wire.BadRequest},
		"empty token":      {append(bytes.Clone(header), 0), wire.BadRequest},
		"huge token":       {[]byte{0xff, 0xff, 0x03}, wire.BadRequest},
		"length overflows": {bytes.Repeat([]byte{0xff}, 10), wire.BadRequest},
	} {
		if need, err := judgeReply(c.reply, someID); wire.CodeOf(err) != c.want || need != 0 {
			t.Errorf("%s: need %d, %v, want %s", name, need, err, c.want)
		}
	}
}

func FuzzReply(f *testing.F) {
	whole := proposal(someID)
	f.Add([]byte{})
	f.Add(whole)
	f.Add(whole[:21])
	f.Add(appendToken(appendToken(nil, multistream), "na"))
	f.Add([]byte{0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, got []byte) {
		need, err := judgeReply(got, someID)
		switch {
		case err != nil && need != 0, need < 0, need > maxToken:
			t.Fatalf("need %d, %v", need, err)
		case err == nil && need == 0 && !bytes.HasPrefix(got, whole):
			t.Fatalf("%q passes for agreement", got)
		}
	})
}
