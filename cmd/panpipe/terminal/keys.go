package terminal

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const (
	escape = 0x1b

	// maxSequence is the longest escape sequence that is waited for, in bytes.
	maxSequence = 64
	// maxPaste is how much of what is pasted at once is kept, in bytes.
	maxPaste = 1 << 20

	pasteBegin, pasteEnd = "\x1b[200~", "\x1b[201~"
)

// Keys makes keys of bytes, of which a key may come in several pieces. An escape
// belongs to what follows it. The zero Keys is ready for use.
type Keys struct {
	rest    []byte // of a key that is not complete
	pasting bool
	pasted  []byte
}

// Feed takes bytes and returns the keys that are complete with them.
func (k *Keys) Feed(b []byte) []Key {
	var keys []Key
	b = append(k.rest, b...)
	k.rest = nil
	for len(b) > 0 {
		n, key := k.next(b)
		if n == 0 {
			k.rest = append([]byte(nil), b...)
			break
		}
		b = b[n:]
		switch last := len(keys) - 1; {
		case key.Code == None:
		case key.Code == Typed && last >= 0 && keys[last].Code == Typed:
			keys[last].Text += key.Text
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

// next reads one key from b, which is not empty, and says how many bytes it has;
// none if more are needed.
func (k *Keys) next(b []byte) (n int, key Key) {
	if k.pasting {
		return k.paste(b)
	}
	if code, ok := controls[b[0]]; ok {
		return 1, Key{Code: code}
	}
	switch {
	case b[0] == escape:
		return k.sequence(b)
	case b[0] < ' ' && b[0] != '\t':
		return 1, Key{}
	case !utf8.FullRune(b):
		return 0, Key{}
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n == 1 {
		return 1, Key{} // not UTF-8: a key of another encoding
	}
	return n, Key{Typed, string(b[:n])}
}

// sequence reads what begins with an escape.
func (k *Keys) sequence(b []byte) (n int, key Key) {
	if len(b) == 1 {
		return 0, Key{}
	}
	switch b[1] {
	case '[', 'O':
		return k.csi(b)
	case escape:
		return 1, Key{} // the escape key, and then another sequence
	}
	return 2, Key{Code: alts[b[1]]}
}

// csi reads ESC [ parameters letter, or ESC O letter.
func (k *Keys) csi(b []byte) (n int, key Key) {
	for n = 2; ; n++ {
		switch {
		case n == len(b) && n >= maxSequence:
			return n, Key{}
		case n == len(b):
			return 0, Key{}
		case b[n] >= 0x40 && b[n] <= 0x7e:
			return k.complete(b[:n+1])
		case b[n] < 0x20 || b[n] > 0x3f:
			return n, Key{} // no sequence, whatever it is
		}
	}
}

func (k *Keys) complete(s []byte) (n int, key Key) {
	n = len(s)
	if string(s) == pasteBegin {
		k.pasting = true
		return n, Key{}
	}
	parameters, final := string(s[2:n-1]), s[n-1]
	number, modifier, _ := strings.Cut(parameters, ";")
	code := finals[final]
	if final == '~' {
		code = numbered[number]
	}
	if modifier == "5" || modifier == "3" { // with Ctrl or Alt
		switch code {
		case Left:
			code = WordLeft
		case Right:
			code = WordRight
		}
	}
	return n, Key{Code: code}
}

// paste collects what is pasted, which ends with a sequence that cannot be in it:
// the terminal takes care of that.
func (k *Keys) paste(b []byte) (n int, key Key) {
	i := bytes.Index(b, []byte(pasteEnd))
	if i < 0 {
		i = len(b) // but for what may be the beginning of the end
		for cut := len(b) - 1; cut >= 0 && cut > len(b)-len(pasteEnd); cut-- {
			if strings.HasPrefix(pasteEnd, string(b[cut:])) {
				i = cut
			}
		}
		k.keep(b[:i])
		return i, Key{}
	}
	k.keep(b[:i])
	text := strings.ReplaceAll(strings.ReplaceAll(string(k.pasted), "\r\n", "\n"), "\r", "\n")
	k.pasting, k.pasted = false, nil
	return i + len(pasteEnd), Key{Pasted, strings.ToValidUTF8(text, "\ufffd")}
}

func (k *Keys) keep(b []byte) {
	k.pasted = append(k.pasted, b[:min(len(b), maxPaste-len(k.pasted))]...)
}
