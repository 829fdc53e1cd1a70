package hostile

import (
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// arena is a small overlay with one true pipe, under attack.
type arena struct {
	*world.World
	binder *world.Node // serves the true pipe
	victim *world.Node
	reader *world.Node
	pipe   pipe.ID          // answers "true"
	hands  []*hand          // that attack
	served []*pipe.Listener // other pipes
}

// quietTime is how long after an attack a node has to be as it was before.
const quietTime = 3 * time.Minute

// attack makes an arena of so many nodes, has test attack it, and then asserts
// that no node has grown, and that the true pipe is found and answers from
// everywhere.
func attack(t *testing.T, nodes int, test func(t *testing.T, a *arena), change ...func(*node.Config)) {
	t.Helper()
	cfg := world.Config{Nodes: nodes, Node: func(_ int, c *node.Config) {
		for _, f := range change {
			f(c)
		}
	}}
	world.Run(t, cfg, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		a := &arena{World: w, binder: w.Nodes[1], victim: w.Nodes[2], reader: w.Nodes[3]}
		defer a.leave()
		a.pipe = a.serve(t, a.binder, "true", pipe.CreateOptions{})
		w.Pass(2 * time.Minute)
		before := a.measure()
		began := time.Now()
		test(t, a)
		if took := time.Since(began); took > 10*time.Minute {
			t.Errorf("the attack held a node up for %v", took)
		}
		a.leave()
		w.Pass(quietTime)
		a.measure().compare(t, before)
		for _, n := range w.Live() {
			a.askTrue(t, n)
		}
	})
}

// leave takes the attackers away, and the pipes that were served for them.
func (a *arena) leave() {
	for _, l := range a.served {
		_ = l.Close()
	}
	for _, p := range a.hands {
		p.close()
	}
}

// serve creates a pipe at a node and serves it under its name.
func (a *arena) serve(t *testing.T, n *world.Node, name string, o pipe.CreateOptions) pipe.ID {
	t.Helper()
	p, err := n.CreatePipe(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Pipes().Listen(t.Context(), p.ID, pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a.answer(l, name)
	return p.ID
}

// answer has a listener answer every dialer with a name.
func (a *arena) answer(l *pipe.Listener, name string) {
	if name != "true" {
		a.served = append(a.served, l)
	}
	go answer(l, name)
}

// answer tells every dialer the name, until the listener closes.
func answer(l net.Listener, name string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.WriteString(c, name)
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}()
	}
}

// askTrue wants the true pipe found afresh, and its answer, from a node, within
// five seconds each.
func (a *arena) askTrue(t *testing.T, n *world.Node) {
	t.Helper()
	began := time.Now()
	r, err := n.Pipes().Resolve(t.Context(), a.pipe, pipe.ResolveOptions{Fresh: true})
	if took := time.Since(began); err != nil || took > 5*time.Second {
		t.Errorf("node %d resolves the true pipe: %v after %v", n.Index, err, took)
		return
	}
	if who := r.Bindings[0].Binding.Binder; who != a.binder.Principal() {
		t.Errorf("node %d finds %s instead of the true binder", n.Index, who)
	}
	if got, err := ask(t, n, a.pipe); err != nil || got != "true" {
		t.Errorf("node %d is answered %q, %v", n.Index, got, err)
	}
}

// ask dials a pipe and reads the name of who answers.
func ask(t *testing.T, n *world.Node, id pipe.ID) (string, error) {
	t.Helper()
	began := time.Now()
	c, err := n.Pipes().Dial(t.Context(), id, pipe.DialOptions{})
	if err == nil {
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
		_ = c.CloseWrite()
	}
	var got []byte
	if err == nil {
		got, err = io.ReadAll(c)
	}
	if took := time.Since(began); took > 3*time.Minute {
		t.Errorf("a dial took %v", took)
	}
	return string(got), err
}

// state is what must not grow.
type state struct {
	goroutines int
	nodes      []nodeState
}

type nodeState struct {
	index, conns, known int
	use                 pipe.Usage
}

func (a *arena) measure() state {
	s := state{goroutines: runtime.NumGoroutine()}
	for range 6 { // a walk or a renewal may be under way: what has leaked is there at all times
		a.Pass(7 * time.Second)
		s.goroutines = min(s.goroutines, runtime.NumGoroutine())
	}
	s.goroutines -= 2 * len(a.hands) // the network keeps two for each endpoint that was ever there
	for _, n := range a.Live() {
		s.nodes = append(s.nodes, nodeState{
			n.Index, len(n.Host().Network().Conns()), len(n.Host().Peerstore().Peers()), n.Pipes().Usage(),
		})
	}
	return s
}

// compare asserts that what must not grow has not. What nodes hold for
// strangers is capped, not none.
func (s state) compare(t *testing.T, before state) {
	t.Helper()
	fresh := len(s.nodes) - len(before.nodes)
	if more := s.goroutines - before.goroutines; more > 8+fresh*s.goroutines/len(s.nodes)*2 {
		t.Errorf("%d goroutines more than before, and %d nodes", more, fresh)
	}
	for _, n := range s.nodes {
		i := slices.IndexFunc(before.nodes, func(was nodeState) bool { return was.index == n.index })
		if i < 0 {
			continue
		}
		was := before.nodes[i]
		if n.conns > was.conns+2 || n.known > was.known+60 {
			t.Errorf("node %d: %d connections, %d peers known; before %d and %d", n.index, n.conns, n.known, was.conns, was.known)
		}
		if n.use.Conns > was.use.Conns || n.use.Requests > 0 {
			t.Errorf("node %d: still uses %+v", n.index, n.use)
		}
		if n.use.RecordBytes > pipe.DefaultHolderBytes || n.use.Cached > was.use.Cached+20 {
			t.Errorf("node %d: keeps %+v", n.index, n.use)
		}
	}
}
