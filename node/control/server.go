package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxHeader caps the header of a request, in bytes. The longest thing in one
// is a capability in the query, about 30 KiB.
const maxHeader = 64 << 10

// Server serves the API until Close.
type Server struct {
	// fixed after Start
	cfg      Config
	started  time.Time
	hub      *hub
	conns    *registry
	tokens   tokens
	examiner examiner // without use where cfg.Doctor is nil
	draft    atomic.Pointer[draft]
	http     *http.Server
	unwatch  []func() // end the events of gateway and roster
	sockets  []net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc

	listens sync.Map // of *listening, by the pipe's ID

	mu     sync.Mutex
	closed bool           // guarded by mu
	tasks  sync.WaitGroup // accept loops, the event watcher, requests; added to under mu
}

// Start begins to serve. On error nothing is left behind: a live socket at the
// path is wire.Taken, a dead one is replaced. ctx bounds the start alone.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.normalize()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, started: time.Now()}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.hub = newHub(uint64(time.Now().UnixMicro()))
	s.conns = newRegistry(s.hub)
	if cfg.Doctor != nil {
		s.examiner = examiner{examine: cfg.Doctor.Examine, spawn: s.spawn, change: s.hub.change}
	}
	if err := s.open(ctx); err != nil {
		s.cancel()
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.handler(),
		ConnContext:       withConn,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
	}
	for _, l := range s.sockets {
		s.tasks.Go(func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				cfg.Log.Error("the local API has stopped", "address", l.Addr(), "error", err)
			}
		})
	}
	s.tasks.Go(s.watchStatus)
	if cfg.WatchGateway != nil {
		s.unwatch = append(s.unwatch, cfg.WatchGateway(newGatewayTeller(s.hub).tell))
	}
	if cfg.WatchRoster != nil {
		s.unwatch = append(s.unwatch, cfg.WatchRoster(s.tellRoster))
	}
	if cfg.Accounts != nil {
		s.tasks.Go(s.watchAccount)
	}
	if cfg.Legs != nil {
		s.tasks.Go(func() { s.watchLegs(s.ctx) })
	}
	return s, nil
}

// open takes the listening sockets.
func (s *Server) open(ctx context.Context) error {
	if s.cfg.Socket != "" {
		l, err := listenUnix(ctx, s.cfg.Socket)
		if err != nil {
			return err
		}
		s.sockets = append(s.sockets, l)
	}
	if s.cfg.TCP == "" {
		return nil
	}
	l, err := s.openTCP(ctx)
	if err != nil {
		for _, open := range s.sockets {
			open.Close()
		}
		return err
	}
	s.sockets = append(s.sockets, l)
	return nil
}

func (s *Server) openTCP(ctx context.Context) (net.Listener, error) {
	host, _, err := net.SplitHostPort(s.cfg.TCP)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, wire.Errorf(wire.BadRequest, "local API: %q is not host:port of a loopback address", s.cfg.TCP).
			WithNext("use 127.0.0.1:PORT or [::1]:PORT")
	}
	if s.tokens, err = loadTokens(s.cfg.TokenFile); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.TCP)
	if err != nil {
		return nil, wire.Errorf(wire.Taken, "local API: cannot listen on %s: %w", s.cfg.TCP, err).
			WithNext("set api.tcp to another port")
	}
	return l, nil
}

// Addrs are the addresses on which the API is served.
func (s *Server) Addrs() []net.Addr {
	var all []net.Addr
	for _, l := range s.sockets {
		all = append(all, l.Addr())
	}
	return all
}

// Close stops serving, drops what passes through, and returns when everything
// that the server started has ended. It may be called more than once.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		s.cancel()
		for _, stop := range s.unwatch {
			stop()
		}
		s.conns.close()
		s.http.Close()
	}
	s.tasks.Wait()
	return nil
}

// spawn runs a task that Close ends by its context and waits for. It is false
// once the server is closing.
func (s *Server) spawn(task func(context.Context)) bool {
	if !s.enter() {
		return false
	}
	go func() {
		defer s.tasks.Done()
		task(s.ctx)
	}()
	return true
}

// enter counts a request in, so that Close waits for it. It is false once the
// server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.tasks.Add(1)
	return true
}
