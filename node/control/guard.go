package control

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

type connKey struct{}

// withConn keeps the connection of a request, so that the guard can ask who is
// at the other end.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// handler is the table of routes behind the guard.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.routes() {
		mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) {
			if err := s.guard(r, rt.needs); err != nil {
				writeProblem(w, err)
				return
			}
			if err := rt.serve(w, r); err != nil {
				writeProblem(w, err)
			}
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			writeProblem(w, wire.Errorf(wire.Closed, "the node is shutting down"))
			return
		}
		defer s.tasks.Done()
		if r.Header.Get("Upgrade") != "" {
			// Of what is refused, so that who reads to the end gets there. An
			// upgrade that succeeds writes its own.
			w.Header().Set("Connection", "close")
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			writeProblem(w, s.noRoute(mux, r))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// noRoute says what is wrong with a request that no route takes.
func (s *Server) noRoute(mux *http.ServeMux, r *http.Request) error {
	if err := s.guard(r, scopeRead); err != nil {
		return err
	}
	var others []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		try := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(try); pattern != "" {
			others = append(others, method)
		}
	}
	if len(others) > 0 {
		return wire.Errorf(wire.Unsupported, "%s does not take %s", r.URL.Path, r.Method).
			WithNext("use %s", strings.Join(others, " or "))
	}
	return wire.Errorf(wire.Unknown, "there is no route %s", r.URL.Path).WithNext("see /v1/openapi.json")
}

// guard refuses, as wire.Forbidden, a caller that may not do what needs asks
// for, and a web page that is not the API's own.
func (s *Server) guard(r *http.Request, needs scope) error {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	unix, isUnix := conn.(*net.UnixConn)
	if !isUnix && !loopbackHost(r.Host) {
		return wire.Errorf(wire.Forbidden, "the host %q is not this machine's loopback address", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) {
		return wire.Errorf(wire.Forbidden, "the web page at %q may not use this API", origin)
	}
	if isUnix {
		return allowUser(peerUID(unix))
	}
	has := s.tokens.scopeOf(bearer(r))
	switch {
	case has == scopeNone:
		return wire.Errorf(wire.Forbidden, "no token, or not one of this node's").
			WithNext("send Authorization: Bearer TOKEN, with a token of %s", s.cfg.TokenFile)
	case has < needs:
		return wire.Errorf(wire.Forbidden, "the token allows reading only").WithNext("use the write token")
	}
	return nil
}

// allowUser lets this process's user and root in.
func allowUser(uid int, err error) error {
	if err != nil {
		return wire.Errorf(wire.Forbidden, "cannot tell who is at the other end of the socket: %w", err)
	}
	if uid != 0 && uid != os.Getuid() {
		return wire.Errorf(wire.Forbidden, "user %d may not use the node of user %d", uid, os.Getuid())
	}
	return nil
}

// loopbackHost reports whether a Host header names the loopback interface.
// Anything else may be a web page that has pointed its own name at it.
func loopbackHost(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// sameOrigin reports whether an Origin header is the API's own address.
func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "http" && u.Host == host
}
