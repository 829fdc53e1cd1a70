package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONMeansWhatItMeantAndObeysNobody(t *testing.T) {
	text := "a\x1b[31m\u009b31m\x7f\u202e\u2066\u200f\u2028 grüße 日本 👍"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]string{"text": text}); err != nil {
		t.Fatal(err)
	}
	shown := JSON(b.Bytes())
	if strings.ContainsAny(string(shown), "\x1b\u009b\x7f\u202e\u2066\u200f\u2028") || !strings.Contains(string(shown), "grüße 日本 👍") {
		t.Errorf("%s", shown)
	}
	var back map[string]string
	if err := json.Unmarshal(shown, &back); err != nil || back["text"] != text {
		t.Errorf("%q, %v", back["text"], err)
	}
	if plain := []byte(`{"a":1}`); &JSON(plain)[0] != &plain[0] {
		t.Error("what is harmless is copied")
	}
}
