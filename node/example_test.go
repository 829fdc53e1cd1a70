package node_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/panpipe-net/panpipe/node"
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
