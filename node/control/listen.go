package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// defaultBacklog is how many offered connections of one listen may wait.
const defaultBacklog = 16

// listen binds a pipe for as long as the request lives.
func (s *Server) listen(w http.ResponseWriter, r *http.Request, _ none, q api.ListenRequest) error {
	o, err := listenOptions(q)
	if err != nil {
		return err
	}
	id, _, err := s.lookup(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	var l net.Listener
	err = s.whenReady(ctx, func() (err error) {
		l, err = s.cfg.Node.ListenPipe(ctx, r.PathValue("ref"), o)
		return err
	})
	if err != nil {
		return err
	}
	s.hub.publish(api.Event{Kind: api.EventListenBound, Pipe: id.String()})
	backlog := o.Backlog
	if backlog == 0 {
		backlog = defaultBacklog
	}
	ls := &listening{
		server: s, listener: l, id: newID(), pipe: id.String(), out: make(chan api.ListenEvent), slots: make(chan struct{}, backlog),
		stop: cancel, ended: make(chan struct{}),
	}
	s.listens.Store(ls.pipe, ls)
	defer func() {
		s.listens.CompareAndDelete(ls.pipe, ls)
		close(ls.ended)
	}()
	w.Header().Set("Content-Type", ndjsonMedia)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	err = ls.run(ctx, w)
	s.hub.publish(api.Event{Kind: api.EventListenClosed, Pipe: ls.pipe, Problem: api.ProblemOf(err)})
	return nil
}

// listening is one listen stream.
type listening struct {
	// fixed
	server   *Server
	listener net.Listener
	id       string // of this listen, and of no later one of the pipe
	pipe     string
	out      chan api.ListenEvent
	slots    chan struct{} // one for each connection that nobody has taken yet
	stop     context.CancelCauseFunc
	ended    chan struct{} // closed when the binding has been withdrawn

	waits sync.WaitGroup // accept loop, and offered connections
}

// errUnlistened is why a listen ends that somebody has ended on this API.
var errUnlistened = wire.Errorf(wire.Closed, "the listen was ended through the node's API")

// unlisten ends a listen of a pipe, and answers when the binding has been
// withdrawn. Who names a listen that is over ends nothing: another may have
// the pipe by now.
func (s *Server) unlisten(r *http.Request, q api.UnlistenQuery, _ none) (none, error) {
	id, _, err := s.lookup(r)
	if err != nil {
		return none{}, err
	}
	v, ok := s.listens.Load(id.String())
	if !ok {
		return none{}, wire.Errorf(wire.Unknown, "nothing listens to pipe %s through this API", id)
	}
	ls := v.(*listening)
	if q.Listen != "" && q.Listen != ls.id {
		return none{}, wire.Errorf(wire.Unknown, "the listen %q of pipe %s is over", q.Listen, id)
	}
	ls.stop(errUnlistened)
	select {
	case <-ls.ended:
		return none{}, nil
	case <-r.Context().Done():
		return none{}, r.Context().Err()
	}
}

// run writes the stream until the client leaves or the pipe is lost, then
// withdraws the binding and drops what nobody has taken. It returns why it
// ended.
func (ls *listening) run(ctx context.Context, w http.ResponseWriter) error {
	ls.waits.Go(func() { ls.accept(ctx) })
	// The listener ends the accept loop, and closing it takes a while, since
	// the binding is withdrawn.
	defer ls.waits.Wait()
	defer ls.listener.Close()
	defer ls.stop(nil)
	if err := writeLine(w, api.ListenEvent{Kind: api.ListenBound, Pipe: ls.pipe, Listen: ls.id}); err != nil {
		return nil
	}
	replaced := replacedOf(ls.listener)
	for {
		select {
		case e := <-ls.out:
			if err := writeLine(w, e); err != nil || e.Kind == api.ListenClosed {
				return e.Problem.Err()
			}
		case <-replaced:
			replaced = nil
			p := api.ProblemOf(wire.Errorf(wire.Replaced, "another binder has the pipe %s now", ls.pipe).
				WithNext("see who: panpipe pipe resolve %s", ls.pipe))
			ls.server.hub.publish(api.Event{Kind: api.EventListenReplaced, Pipe: ls.pipe, Problem: p})
			if err := writeLine(w, api.ListenEvent{Kind: api.ListenReplaced, Problem: p}); err != nil {
				return nil
			}
		case <-ctx.Done():
			ls.farewell(ctx, w)
			return nil
		}
	}
}

// farewell tells the program that somebody has ended its listen; one that has
// left hears nothing.
func (ls *listening) farewell(ctx context.Context, w http.ResponseWriter) {
	if cause := context.Cause(ctx); errors.Is(cause, errUnlistened) {
		writeLine(w, api.ListenEvent{Kind: api.ListenClosed, Problem: api.ProblemOf(cause)}) //nolint:errcheck // it has left meanwhile
	}
}

// replacedOf is closed when another binder has the pipe; nil for a listener
// that does not tell.
func replacedOf(l net.Listener) <-chan struct{} {
	if t, ok := l.(interface{ Replaced() <-chan struct{} }); ok {
		return t.Replaced()
	}
	return nil
}

// accept offers connections until the listener ends.
func (ls *listening) accept(ctx context.Context) {
	for {
		select {
		case ls.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		c, err := ls.listener.Accept()
		if err != nil {
			ls.tell(ctx, api.ListenEvent{Kind: api.ListenClosed, Problem: api.ProblemOf(err)})
			return
		}
		ls.offer(ctx, c)
	}
}

// offer tells of one connection, and frees its slot when it is settled.
func (ls *listening) offer(ctx context.Context, conn net.Conn) {
	c, err := pipeConn(conn)
	if err != nil {
		<-ls.slots
		return
	}
	t, err := ls.server.conns.add(c, true)
	if err != nil {
		<-ls.slots
		return
	}
	about := t.about
	about.State = api.ConnectionOffered
	ls.tell(ctx, api.ListenEvent{Kind: api.ListenConnection, Connection: &about})
	ls.waits.Go(func() {
		select {
		case <-t.settled:
		case <-ctx.Done():
			ls.server.conns.drop(t, wire.Errorf(wire.Closed, "the listener has gone"))
		}
		<-ls.slots
	})
}

func (ls *listening) tell(ctx context.Context, e api.ListenEvent) {
	select {
	case ls.out <- e:
	case <-ctx.Done():
	}
}

// pipeConn takes a connection of the node for what it is.
func pipeConn(conn net.Conn) (PipeConn, error) {
	c, ok := conn.(PipeConn)
	if !ok {
		conn.Close()
		return nil, wire.Errorf(wire.Internal, "a connection of type %T does not tell what it is", conn)
	}
	return c, nil
}

// writeLine writes one line of a stream and sends it off.
func writeLine(w http.ResponseWriter, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	deadline(w, writeTimeout)
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
