package wire

import (
	"bytes"
	"encoding/hex"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

// vectors is testdata/vectors.json. All bytes are hexadecimal.
type vectors struct {
	// Records are runs of fields and their one encoding.
	Records []struct {
		Name   string
		Fields []struct {
			Number uint64
			Bytes  string
			Text   string
			Value  uint64
			List   []string
		}
		Hex string
	}
	// RefusedRecords are bytes that no Builder writes.
	RefusedRecords []struct{ Name, Hex, Code string } `json:"refused_records"`
	// Messages hold google.protobuf.BytesValue with these bytes.
	Messages []struct{ Name, Value, Hex string }
	// RefusedMessages are what a reader with a cap of 1024 bytes refuses.
	RefusedMessages []struct{ Name, Hex, Code string } `json:"refused_messages"`
}

func TestCanonicalBytesAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Records {
		var b Builder
		for _, f := range v.Fields {
			switch {
			case f.List != nil:
				items := make([][]byte, len(f.List))
				for i, s := range f.List {
					items[i] = vectorfile.Bytes(t, s)
				}
				b.List(f.Number, items)
			case f.Text != "":
				b.String(f.Number, f.Text)
			case f.Bytes != "":
				b.Bytes(f.Number, vectorfile.Bytes(t, f.Bytes))
			default:
				b.Uint(f.Number, f.Value)
			}
		}
		if got := hex.EncodeToString(b.Build()); got != v.Hex {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Hex)
		}
		if _, err := ParseFields(vectorfile.Bytes(t, v.Hex)); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

func TestVectorsOfBadRecordsAreRefused(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).RefusedRecords {
		if _, err := ParseFields(vectorfile.Bytes(t, v.Hex)); CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
}

func TestMessagesAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Messages {
		var b bytes.Buffer
		if err := WriteMessage(&b, wrapperspb.Bytes(vectorfile.Bytes(t, v.Value)), 1024); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(b.Bytes()); got != v.Hex {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Hex)
		}
	}
}

func TestVectorsOfBadMessagesAreRefused(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).RefusedMessages {
		err := ReadMessage(bytes.NewReader(vectorfile.Bytes(t, v.Hex)), new(wrapperspb.BytesValue), 1024)
		if CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
}
