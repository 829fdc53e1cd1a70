//go:build full

package integration

import (
	"testing"

	"github.com/panpipe-net/panpipe/integration/lab"
)

// idlers is a service that says what it hears, and a client that holds many
// connections there, each of which works at the beginning and at the end.
const idlers = `
import resource, selectors, socket, sys, time
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

def serve(port):
    s, sel = socket.create_server(("127.0.0.1", port), backlog=1024), selectors.DefaultSelector()
    sel.register(s, selectors.EVENT_READ)
    print("serving", flush=True)
    while True:
        for key, _ in sel.select():
            if key.fileobj is s:
                sel.register(s.accept()[0], selectors.EVENT_READ)
            elif said := key.fileobj.recv(64):
                key.fileobj.sendall(said)
            else:
                sel.unregister(key.fileobj)
                key.fileobj.close()

def hold(host, port, count, idle):
    def work(s):
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        return s
    held = [work(socket.create_connection((host, port))) for _ in range(count)]
    time.sleep(idle)
    print(len([work(s) for s in held]))

if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    host, port = sys.argv[2].rsplit(":", 1)
    hold(host, int(port), int(sys.argv[3]), float(sys.argv[4]))
`

// TestTenThousandIdleChannelsOverARelay: both nodes are behind routers that let
// nobody through.
func TestTenThousandIdleChannelsOverARelay(t *testing.T) {
	o := newMatrix(t, 2, 1)
	serverAt := o.internet.Router("ra", binderAddr, lab.Symmetric, "192.168.1.1/24").Host("a")
	clientAt := o.internet.Router("rb", dialerAddr, lab.Symmetric, "192.168.1.1/24").Host("b")
	p := &stretch{matrix: o, binderAt: serverAt, dialerAt: clientAt}
	p.binder, p.dialer = o.join(serverAt, "--no-mdns", "--no-portmap"), o.join(clientAt, "--no-mdns", "--no-portmap")
	p.binder.until("on a relay", onRelay(1))
	p.dialer.until("ready", ready)
	s := &stage{t: t, serverAt: serverAt, clientAt: clientAt, dir: t.TempDir()}
	s.daemon("serving", "python3", "-c", idlers, "serve", "7000")
	rule, addr := p.publish("127.0.0.1:7000")
	if err := s.wants([]byte("10000\n"), nil, "python3", "-c", idlers, "hold", addr, "10000", "10"); err != nil {
		t.Error(err)
	}
	rules, err := p.dialer.api().GatewayRules(t.Context())
	if err != nil || len(rules) != 1 || len(rules[0].Binders) != 1 || rules[0].Binders[0].Transport != "relay" {
		t.Errorf("the rule %s is not carried by a relay: %+v, %v", rule, rules, err)
	}
}
