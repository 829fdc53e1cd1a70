package control

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// tokenProtocol stands before a token in Sec-WebSocket-Protocol, the one
// header that a web page can set on a WebSocket.
const tokenProtocol = "panpipe.token."

// tokens are the tokens of the TCP listener, by the SHA-256 of their text.
type tokens []struct {
	digest [sha256.Size]byte
	scope  scope
}

// scopeOf tells what a token allows. It takes the same time for every token.
func (t tokens) scopeOf(token string) scope {
	digest := sha256.Sum256([]byte(token))
	has := scopeNone
	for _, known := range t {
		if subtle.ConstantTimeCompare(digest[:], known.digest[:]) == 1 {
			has = known.scope
		}
	}
	return has
}

// bearer finds the token of a request.
func bearer(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	for p := range strings.SplitSeq(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
		if t, ok := strings.CutPrefix(strings.TrimSpace(p), tokenProtocol); ok {
			return t
		}
	}
	return ""
}

// loadTokens reads the token file: lines "read TOKEN" and "write TOKEN", empty
// lines and those that begin with #. A file that is not there is made with one
// token of each scope; one that others can read is refused.
func loadTokens(path string) (tokens, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		content, err = makeTokens(path)
	}
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "token file: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "token file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, wire.Errorf(wire.Forbidden, "token file %s can be read by others (mode %o)", path, info.Mode().Perm()).
			WithNext("chmod 600 %s", path)
	}
	return parseTokens(path, content)
}

func makeTokens(path string) ([]byte, error) {
	content := "# Tokens of the local API on TCP: read sees, write changes.\n" +
		"read " + newToken() + "\nwrite " + newToken() + "\n"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(content)
	return []byte(content), errors.Join(err, f.Close())
}

func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// minToken is the least length of a token, in bytes.
const minToken = 16

func parseTokens(path string, content []byte) (tokens, error) {
	var all tokens
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, token, _ := strings.Cut(line, " ")
		token = strings.TrimSpace(token)
		s := map[string]scope{"read": scopeRead, "write": scopeWrite}[word]
		if s == scopeNone || len(token) < minToken || strings.ContainsAny(token, " \t,") {
			return nil, wire.Errorf(wire.BadRequest, "token file %s, line %d: not read or write and a token of at least %d characters", path, n, minToken)
		}
		all = append(all, struct {
			digest [sha256.Size]byte
			scope  scope
		}{sha256.Sum256([]byte(token)), s})
	}
	return all, lines.Err()
}
