// Package demo runs Panpipe's main job before one's eyes: several node
// processes on loopback join an overlay through one bootstrap node, a pipe is
// bound, resolved by its ID alone, dialled, moved, explained; connections go on
// when paths, transports and ports are taken away, those of plain TCP programs
// too; people become buddies and chat; and the pipe stays when nodes die, its
// binder too. Every step verifies what it claims. Nothing is left behind.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limit is how long the demo may take as a whole.
const Limit = 2 * time.Minute

// Options say how the demo runs.
type Options struct {
	Executable string    // the panpipe binary; empty means the running one
	Only       []string  // steps to run, with what they need; empty means all
	JSON       bool      // the timeline as one JSON Line a line
	Out        io.Writer // where the timeline goes; nil means standard output
}

// step is one part of the demo. A step may rely on the nodes having joined and
// on the pipe; it leaves both so for the next.
type step struct {
	name  string
	title string
	run   func(ctx context.Context, s *stage) error
}

var steps = []step{
	{"join", "eight nodes, each a process of its own, join through one bootstrap node", joinOverlay},
	{"transfer", "a node that knows only the pipe's ID resolves it, dials it, and receives a file", transferFile},
	{"outlive", "what carries a transfer is cut, taken away and moved, and not a byte is lost", outlivePaths},
	{"gateway", "a web server is published on a pipe and visited by plain TCP programs, 200 at once, while the trunk is cut", publishService},
	{"transports", "the dialer requires a transport, whatever connections exist", requireTransports},
	{"move", "the pipe is granted to another node, which binds it: same ID, no key copied", movePipe},
	{"explain", "a far node tells where the pipe is, and how it gets there", explainPipe},
	{"doctor", "a node examines itself, its overlay and its machine", examine},
	{"people", "alice, on two devices, and bob become buddies and chat; he goes and comes back; her phone is thrown out", meetPeople},
	{"death", "the binder is killed, another binds the pipe, and who has the dead one's record dials", killBinder},
	{"bootstrap", "the bootstrap node is killed, and all goes on", killBootstrap},
	{"rejoin", "a restarted node finds its way back through the peers it remembers", rejoin},
}

// Steps lists the names of the steps in their order.
func Steps() []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.name
	}
	return names
}

// stage is what the steps share.
type stage struct {
	*timeline
	exe   string
	dir   string
	nodes []*daemon // nodes[0] is the bootstrap node
	pipe  string    // ID of the demo's pipe, owned by nodes[1]
}

// Run runs the demo. It returns nil only when every step was verified; an
// unknown step is wire.BadRequest.
func Run(ctx context.Context, o Options) (err error) {
	for _, name := range o.Only {
		if !slices.Contains(Steps(), name) {
			return wire.Errorf(wire.BadRequest, "the demo has no step %q", name).
				WithNext("choose from %s", strings.Join(Steps(), ", "))
		}
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Executable == "" {
		if o.Executable, err = os.Executable(); err != nil {
			return wire.Errorf(wire.Internal, "demo: own binary: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	s := &stage{timeline: &timeline{out: o.Out, json: o.JSON, began: time.Now()}, exe: o.Executable}
	if s.dir, err = os.MkdirTemp("", "panpipe-demo-"); err != nil {
		return wire.Errorf(wire.Internal, "demo: %w", err)
	}
	defer func() { err = errors.Join(err, s.leave(err)) }()
	return s.play(ctx, o.Only)
}

func (s *stage) play(ctx context.Context, only []string) error {
	verified := 0
	for _, st := range steps {
		if len(only) > 0 && st.name != "join" && !slices.Contains(only, st.name) {
			continue
		}
		s.begin(st.name, st.title)
		if err := st.run(ctx, s); err != nil {
			s.line("failed", err.Error(), nil)
			return fmt.Errorf("demo step %s: %w", st.name, err)
		}
		verified++
	}
	s.step = "end"
	s.line("end", fmt.Sprintf("%d steps, each verified", verified), map[string]float64{"seconds": time.Since(s.began).Seconds()})
	return nil
}

// leave ends every process and removes every file. After a failure it first
// shows what the nodes said last.
func (s *stage) leave(failure error) error {
	var errs []error
	for _, n := range slices.Backward(s.nodes) {
		if failure != nil {
			s.note("last words of node %s:\n%s", n.name, n.lastWords())
		}
		errs = append(errs, n.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

func (s *stage) add(name string, join ...string) *daemon {
	d := &daemon{name: name, dir: filepath.Join(s.dir, name), exe: s.exe, join: join}
	s.nodes = append(s.nodes, d)
	return d
}

func isReplaced(err error) bool { return errors.Is(err, wire.Replaced) }
