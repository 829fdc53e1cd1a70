package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// socks lets clients name their pipe, and returns the address.
func (n *node) socks(t testing.TB) string {
	t.Helper()
	s, err := n.Add(t.Context(), Rule{Kind: Socks, Listen: "127.0.0.1:0"})
	must(t, err)
	return s.Addr
}

func TestClientsNameTheirPipeBySOCKS(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	gone := nodes[0].expose(t, nobody(t), "gone")
	for _, n := range nodes {
		d, err := proxy.SOCKS5("tcp", n.socks(t), nil, nil)
		must(t, err)
		hosts := map[string]string{
			s.Pipe.String() + ".pipe":                   "",
			strings.ToUpper(s.Pipe.String()) + ".PIPE.": "",
			gone.Pipe.String() + ".pipe":                "connection refused",
			"nothing.pipe":                              "host unreachable",
			"127.0.0.1":                                 "not allowed by ruleset",
			"example.org":                               "not allowed by ruleset",
			".pipe":                                     "not allowed by ruleset",
		}
		if n == nodes[0] {
			hosts["web.pipe"] = ""
		}
		for host, want := range hosts {
			c, err := d.Dial("tcp", net.JoinHostPort(host, "80"))
			switch {
			case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s: %v", host, err)
			}
			if err == nil {
				converse(t, c, 1<<20)
				must(t, c.Close())
			}
		}
	}
	nodes[1].heard.await(t, 2, kind(EventClosed))
}

func TestClientsNameTheirPipeByCONNECT(t *testing.T) {
	_, nodes := newWorld(t, 2)
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer web.Close()
	s := nodes[0].expose(t, web.Listener.Addr().String(), "web")
	front := nodes[1].socks(t)
	transport := web.Client().Transport.(*http.Transport)
	transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: front})
	transport.TLSClientConfig.ServerName = "example.com"
	defer transport.CloseIdleConnections()
	answer, err := web.Client().Post("https://"+s.Pipe.String()+".pipe/", "text/plain", strings.NewReader("hello"))
	must(t, err)
	body, err := io.ReadAll(answer.Body)
	must(t, answer.Body.Close())
	if err != nil || string(body) != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	_, err = web.Client().Get("https://example.org/")
	if err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("another host: %v", err)
	}
	answer, err = web.Client().Get("http://" + s.Pipe.String() + ".pipe/")
	must(t, err)
	must(t, answer.Body.Close())
	if answer.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a request that does not tunnel is answered %s", answer.Status)
	}
}

func TestEarlyDataBehindARequestIsTheChannels(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	front := nodes[1].socks(t)
	host := s.Pipe.String() + ".pipe"
	for _, said := range []string{
		socksHello + "\x05\x01\x00\x03" + string(rune(len(host))) + host + "\x00\x50" + "early",
		"CONNECT " + host + ":80 HTTP/1.1\r\n\r\nearly",
	} {
		c := dial(t, front)
		_, err := io.WriteString(c, said)
		must(t, err)
		must(t, c.CloseWrite())
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasSuffix(string(got), "early") {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestHTTPClientsHearWhyThereIsNoChannel(t *testing.T) {
	w, nodes := newWorld(t, 1)
	hangs := w.add(func(c *Config) {
		c.Limits.TargetTimeout = 50 * time.Millisecond
		c.DialTarget = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	front := nodes[0].socks(t)
	slow := hangs.expose(t, "127.0.0.1:9", "slow")
	shut := nodes[0].expose(t, nobody(t), "shut")
	private := hangs.expose(t, "127.0.0.1:8", "private", func(r *Rule) { r.Allow = []string{hangs.principal()} })
	for host, want := range map[string]int{
		slow.Pipe.String(): 504, shut.Pipe.String(): 502, private.Pipe.String(): 403, "nothing": 502,
	} {
		c := dial(t, front)
		_, err := fmt.Fprintf(c, "CONNECT %s.pipe:80 HTTP/1.1\r\nHost: x\r\n\r\n", host)
		must(t, err)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		text, err := io.ReadAll(answer.Body)
		if answer.StatusCode != want || err != nil || len(text) == 0 {
			t.Errorf("%s: %s, %q, %v", host, answer.Status, text, err)
		}
		_ = answer.Body.Close()
	}
}

func TestAClientThatNamesNothingIsLetGo(t *testing.T) {
	w, _ := newWorld(t, 0)
	n := w.add(func(c *Config) { c.Limits.HandshakeTimeout = 50 * time.Millisecond })
	front := n.socks(t)
	for _, said := range []string{"", "\x05", socksHello, "CONNECT "} {
		c := dial(t, front)
		_, err := io.WriteString(c, said)
		must(t, err)
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("%q: %v", said, err)
		}
	}
	for _, e := range n.heard.await(t, 4, kind(EventRefused)) {
		if e.Code != wire.Timeout {
			t.Errorf("refused as %s", e.Code)
		}
	}
}

func TestWaysToPipesAreLetGo(t *testing.T) {
	w, _ := newWorld(t, 0)
	n := w.add(func(c *Config) { c.Limits.Pipes, c.Limits.PipeIdle = 1, time.Hour })
	target := serve(t, echo).addr()
	d, err := proxy.SOCKS5("tcp", n.socks(t), nil, nil)
	must(t, err)
	n.expose(t, target, "one")
	n.expose(t, target, "two")
	one, err := d.Dial("tcp", "one.pipe:1")
	must(t, err)
	if _, err := d.Dial("tcp", "two.pipe:1"); err == nil {
		t.Error("there was room for a second pipe")
	}
	must(t, one.Close())
	n.heard.await(t, 1, func(e Event) bool { return e.Kind == EventClosed && e.Of == Socks })
	two, err := d.Dial("tcp", "two.pipe:1")
	must(t, err)
	must(t, two.Close())
}
