//go:build figures

package integration

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/panpipe-net/panpipe/integration/figures"
)

func gatewayBenchmark() benchmark {
	parts := []benchPart{
		{"bulk", measureGatewayBulk},
		{"exchange", measureGatewayExchange},
		{"opens", measureGatewayOpens},
		{"beside", measureGatewayBeside},
		{"first_byte", measureGatewayFirstByte},
		{"memory", measureGatewayMemory},
		{"blast", measureGatewayBlast},
		{"cycles", measureGatewayCycles},
	}
	for _, i := range idleTransports() {
		parts = append(parts, benchPart{"idle_" + i.name, func(t *testing.T, r *figures.Report) { measureGatewayIdle(t, r, i) }})
	}
	return benchmark{test: "TestGatewayFigures", env: "GATEWAY_PART", parts: parts}
}

// TestGatewayFigures measures the gateway as its clients see it, on loopback:
// a client (the process of a part), two nodes and a service, each a process of
// its own, beside raw TCP, a chain of two copying proxies and `ssh -L` in the
// same rounds. From the environment:
//
//	PART             which parts to measure, separated by commas; all if it is not set
//	PANPIPE_BIN      the binary to measure; one is built if it is not set
//	FORWARDER        host:port of a foreign forwarder, which leads to the service
//	SERVICE          host:port where the service is to listen; a free port of 127.0.0.1 if it is not set
//	GATEWAY_PART     set for the process of one part
//	GATEWAY_SERVICE  set there: where the service is to listen
//	GATEWAY_CHILD    set for the process of a service or a proxy
//
// A figure that is short of its bound fails the test.
func TestGatewayFigures(t *testing.T) {
	if child := os.Getenv("GATEWAY_CHILD"); child != "" {
		serveGatewayChild(t, child)
		return
	}
	if os.Getenv("GATEWAY_PART") != "" {
		gatewayBenchmark().run(t)
		return
	}
	service := os.Getenv("SERVICE")
	if service == "" {
		service = freePort(t)
	}
	fmt.Println("service", service)
	gatewayBenchmark().run(t, "GATEWAY_SERVICE="+service, "PANPIPE_BIN="+strippedBinary(t))
}

// freePort is an address of loopback with a port that nobody listens on.
func freePort(t tester) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
