package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxHead is the longest head of a CONNECT request, in bytes.
const maxHead = 8 << 10

// errMethod is why a request of another method is answered 405.
var errMethod = errors.New("this proxy takes CONNECT alone")

var headEnd = []byte("\r\n\r\n")

// connectFront speaks HTTP CONNECT (RFC 9110, section 9.3.6) with a client
// whose first byte has been read.
type connectFront struct {
	c     io.ReadWriter
	first byte
	early []byte // what the client sent behind its request: the channel's
}

// host reads what the client asks for: the host name. Errors have been
// answered.
func (f *connectFront) host() (string, error) {
	head, err := f.head()
	if err == nil {
		var host string
		if host, err = connectHost(head); err == nil {
			return host, nil
		}
	}
	if wire.CodeOf(err) != wire.Closed {
		_ = f.reply(err)
	}
	return "", err
}

// head reads the request up to the empty line, and keeps what came behind it.
func (f *connectFront) head() ([]byte, error) {
	b := make([]byte, 1, 1<<10)
	b[0] = f.first
	for {
		if i := bytes.Index(b, headEnd); i >= 0 {
			i += len(headEnd)
			if i < len(b) {
				f.early = b[i:]
			}
			return b[:i:i], nil
		}
		if len(b) >= maxHead {
			return nil, wire.Errorf(wire.TooLarge, "the head of the request is longer than %d bytes", maxHead)
		}
		if len(b) == cap(b) {
			b = append(make([]byte, 0, 2*cap(b)), b...)
		}
		n, err := f.c.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil && !bytes.Contains(b, headEnd) {
			return nil, err
		}
	}
}

// connectHost is the host that a CONNECT request names.
func connectHost(head []byte) (string, error) {
	r, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), 16))
	if err != nil {
		return "", wire.Errorf(wire.BadRequest, "not an HTTP request: %w", err)
	}
	if r.Method != http.MethodConnect {
		return "", wire.Errorf(wire.Unsupported, "%w, not %.20q", errMethod, r.Method).
			WithNext("have the client tunnel (curl --proxytunnel), or use SOCKS5 at the same address")
	}
	host := r.RequestURI
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]"), nil
}

// reply tells the client what became of its request.
func (f *connectFront) reply(err error) error {
	if err == nil {
		_, err = io.WriteString(f.c, "HTTP/1.1 200 Connection established\r\n\r\n")
		return err
	}
	status := connectStatus(err)
	text := fmt.Sprintf("%s: %s\n", wire.CodeOf(err), err)
	if next := wire.NextOf(err); next != "" {
		text += next + "\n"
	}
	allow := ""
	if status == http.StatusMethodNotAllowed {
		allow = "Allow: CONNECT\r\n"
	}
	_, err = fmt.Fprintf(f.c, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(text), allow, text)
	return err
}

// connectStatus is the HTTP status for a cause.
func connectStatus(err error) int {
	if errors.Is(err, errMethod) {
		return http.StatusMethodNotAllowed
	}
	switch wire.CodeOf(err) {
	case wire.OK:
		return http.StatusOK
	case wire.BadRequest:
		return http.StatusBadRequest
	case wire.TooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	case wire.Forbidden, wire.Expired:
		return http.StatusForbidden
	case wire.Timeout:
		return http.StatusGatewayTimeout
	case wire.Busy, wire.Limit, wire.NotReady:
		return http.StatusServiceUnavailable
	case wire.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusBadGateway
}
