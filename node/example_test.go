package node_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// onLoopback is a node that keeps to this machine, as examples should.
func onLoopback(ctx context.Context, join ...string) *node.Node {
	n, err := node.Start(ctx, node.Config{
		Listen:      []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"},
		DisableMDNS: true, DisablePortMapping: true,
		Join: join,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := n.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	return n
}

// A pipe's listener is a net.Listener and its connection a net.Conn, so
// net/http runs on pipes unchanged. Who dials knows the pipe's ID, and no
// address.
func Example() {
	ctx := context.Background()
	host := onLoopback(ctx)
	defer host.Close()
	guest := onLoopback(ctx, host.Ticket().String())
	defer guest.Close()

	p, err := host.CreatePipe(ctx, "greeter", pipe.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := host.ListenPipe(ctx, "greeter", pipe.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.URL.Query().Get("name"))
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return guest.DialPipe(ctx, p.ID.String(), pipe.DialOptions{})
		},
	}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://greeter/?name=guest")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: hello, guest
}

// A pipe carries raw bytes both ways. Closing one direction lets the other
// side finish its answer.
func ExampleNode_DialPipe() {
	ctx := context.Background()
	host := onLoopback(ctx)
	defer host.Close()
	guest := onLoopback(ctx, host.Ticket().String())
	defer guest.Close()

	p, err := host.CreatePipe(ctx, "echo", pipe.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := host.ListenPipe(ctx, "echo", pipe.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()

	conn, err := guest.DialPipe(ctx, p.ID.URI(), pipe.DialOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "same bytes back")
	if err := conn.(*pipe.Conn).CloseWrite(); err != nil {
		log.Fatal(err)
	}
	back, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(back))
	// Output: same bytes back
}

// The gateway carries programs that know nothing of pipes: one node publishes a
// local service, another has it on a port of its own.
func ExampleNode_Gateway() {
	ctx := context.Background()
	host := onLoopback(ctx)
	defer host.Close()
	guest := onLoopback(ctx, host.Ticket().String())
	defer guest.Close()

	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello from a plain web server")
	}))
	defer service.Close()
	published, err := host.Gateway().Add(ctx, gateway.Rule{
		Kind: gateway.Expose, Target: service.Listener.Addr().String(), Pipe: "web", Allow: []string{gateway.Anyone},
	})
	if err != nil {
		log.Fatal(err)
	}
	forward, err := guest.Gateway().Add(ctx, gateway.Rule{
		Kind: gateway.Forward, Listen: "127.0.0.1:0", Pipe: published.Pipe.String(),
	})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + forward.Addr)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output: hello from a plain web server
}

// A lone node is an overlay of its own.
func ExampleStart() {
	n, err := node.Start(context.Background(), node.Config{
		Listen:      []string{"/ip4/127.0.0.1/udp/0/quic-v1"},
		DisableMDNS: true, DisablePortMapping: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	fmt.Println(n.Overlay(), len(n.Addrs()))
	// Output: panpipe 1
}
