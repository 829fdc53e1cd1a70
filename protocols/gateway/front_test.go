package gateway

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// talk is a client that has said all it says.
type talk struct {
	io.Reader
	bytes.Buffer
}

func (t *talk) Read(b []byte) (int, error) { return t.Reader.Read(b) }

// hear has a front read what a client says.
func hear(said string) (host string, left int, answer string, err error) {
	in := strings.NewReader(said)
	c := &talk{Reader: in}
	f, err := frontOf(c)
	if err == nil {
		host, err = f.host()
	}
	left = in.Len()
	if h, ok := f.(*connectFront); ok {
		left += len(h.early)
	}
	return host, left, c.String(), err
}

const (
	socksHello = "\x05\x01\x00"
	socksAsk   = "\x05\x01\x00\x03\x08web.pipe\x00\x50"
)

func TestFrontsHearWhatClientsAskFor(t *testing.T) {
	for name, c := range map[string]struct {
		said   string
		host   string
		left   int // bytes that belong to the channel
		answer string
		code   wire.Code
	}{
		"SOCKS5":               {socksHello + socksAsk, "web.pipe", 0, "\x05\x00", wire.OK},
		"SOCKS5, early data":   {socksHello + socksAsk + "hello", "web.pipe", 5, "\x05\x00", wire.OK},
		"SOCKS5, two methods":  {"\x05\x02\x02\x00" + socksAsk, "web.pipe", 0, "\x05\x00", wire.OK},
		"SOCKS5, IPv4":         {socksHello + "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", "127.0.0.1", 0, "\x05\x00", wire.OK},
		"SOCKS5, IPv6":         {socksHello + "\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50", "::1", 0, "\x05\x00", wire.OK},
		"SOCKS5, password":     {"\x05\x01\x02", "", 0, "\x05\xff", wire.Unsupported},
		"SOCKS5, no method":    {"\x05\x00", "", 0, "\x05\xff", wire.Unsupported},
		"SOCKS5, BIND":         {socksHello + "\x05\x02" + socksAsk[2:], "", 0, "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", wire.Unsupported},
		"SOCKS5, UDP":          {socksHello + "\x05\x03" + socksAsk[2:], "", 0, "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", wire.Unsupported},
		"SOCKS5, address kind": {socksHello + "\x05\x01\x00\x02", "", 0, "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", wire.Unsupported},
		"SOCKS5, other":        {socksHello + "\x04\x01\x00\x03", "", 0, "\x05\x00", wire.BadRequest},
		"SOCKS4":               {"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "", 8, "", wire.BadRequest},
		"TLS":                  {"\x16\x03\x01", "", 2, "", wire.BadRequest},
		"nothing":              {"", "", 0, "", wire.Closed},
		"CONNECT":              {"CONNECT web.pipe:80 HTTP/1.1\r\nHost: web.pipe:80\r\n\r\n", "web.pipe", 0, "", wire.OK},
		"CONNECT, early data":  {"CONNECT web.pipe:80 HTTP/1.1\r\nHost: x\r\n\r\nhello", "web.pipe", 5, "", wire.OK},
		"CONNECT, no port":     {"CONNECT web.pipe HTTP/1.0\r\n\r\n", "web.pipe", 0, "", wire.OK},
		"CONNECT, half":        {"CONNECT web.pipe:80 HT", "", 0, "", wire.Closed},
	} {
		host, left, answer, err := hear(c.said)
		if host != c.host || left != c.left || answer != c.answer || wire.CodeOf(err) != c.code {
			t.Errorf("%s: host %q, %d bytes left, answer %q: %v", name, host, left, answer, err)
		}
	}
}

func TestFrontsRefuseHalfARequest(t *testing.T) {
	whole := socksHello + socksAsk
	for i := range whole {
		if host, _, _, err := hear(whole[:i]); err == nil {
			t.Errorf("the first %d bytes ask for %q", i, host)
		}
	}
}

func TestHTTPClientsAreToldWhatIsWrong(t *testing.T) {
	for said, status := range map[string]string{
		"GET http://web.pipe/ HTTP/1.1\r\nHost: web.pipe\r\n\r\n": "405",
		"CONNECT\r\n\r\n": "400",
		"CONNECT web.pipe:80 HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 2000): "431",
		"CONNECT web.pipe:80 HTTP/1.1\r\n\x00\r\n\r\n":                        "400",
	} {
		_, _, answer, err := hear(said)
		if err == nil || !strings.HasPrefix(answer, "HTTP/1.1 "+status) {
			t.Errorf("%.30q is answered %q: %v", said, answer, err)
		}
	}
}

func TestEveryWordHasAReply(t *testing.T) {
	for _, code := range wire.Codes() {
		var err error
		if code != wire.OK {
			err = wire.Errorf(code, "why").WithNext("what to do")
		}
		c := &talk{}
		if err := (socksFront{c}).reply(err); err != nil || c.Len() != 10 || (c.Bytes()[1] == 0) != (code == wire.OK) {
			t.Errorf("%s: SOCKS5 reply % x: %v", code, c.Bytes(), err)
		}
		c.Reset()
		if err := (&connectFront{c: c}).reply(err); err != nil {
			t.Fatal(err)
		}
		head, text, _ := strings.Cut(c.String(), "\r\n\r\n")
		if status := connectStatus(err); (status == http.StatusOK) != (code == wire.OK) {
			t.Errorf("%s: status %d", code, status)
		} else if code != wire.OK && (!strings.Contains(text, "why\nwhat to do") || !strings.Contains(head, http.StatusText(status))) {
			t.Errorf("%s: %q", code, c.String())
		}
	}
}

func FuzzFronts(f *testing.F) {
	f.Add(socksHello + socksAsk + "early")
	f.Add("\x05\x02\x02\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50")
	f.Add("CONNECT web.pipe:80 HTTP/1.1\r\nHost: web.pipe\r\n\r\nearly")
	f.Add("GET / HTTP/1.1\r\n\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		host, left, answer, err := hear(said)
		if err == nil && (host == "" && said[0] != 5 && !strings.Contains(said, " ") || len(host) > maxHead) {
			t.Errorf("%q asks for %q", said, host)
		}
		if left > len(said) || len(answer) > maxHead+1024 {
			t.Errorf("%q: %d bytes left, answer of %d", said, left, len(answer))
		}
	})
}
