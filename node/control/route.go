package control

import (
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// scope is what a caller may do. A higher one includes those below it.
type scope uint8

const (
	scopeNone  scope = iota // nothing
	scopeRead               // see
	scopeWrite              // change things and move bytes
)

// route is one line of the table of routes.
type route struct {
	method  string
	path    string // in the syntax of http.ServeMux
	summary string
	scoped
}

// scoped is an endpoint with the scope that it needs. read and write alone
// make one.
type scoped struct {
	needs scope
	endpoint
}

func read(e endpoint) scoped  { return scoped{needs: scopeRead, endpoint: e} }
func write(e endpoint) scoped { return scoped{needs: scopeWrite, endpoint: e} }

// endpoint is what a route does, and the types that it takes and gives.
type endpoint struct {
	query, body, answer reflect.Type // nil: none
	status              int          // of success
	media               string       // media type of success; empty: no content
	serve               func(w http.ResponseWriter, r *http.Request) error
}

// none stands for no parameters, no body, or no answer.
type none struct{}

func typeOf[T any]() reflect.Type {
	t := reflect.TypeFor[T]()
	if t == reflect.TypeFor[none]() {
		return nil
	}
	return t
}

const (
	jsonMedia   = "application/json"
	ndjsonMedia = "application/x-ndjson"
	eventMedia  = "text/event-stream"

	bodyTimeout  = 10 * time.Second // for a request's body to arrive
	writeTimeout = 30 * time.Second // for an answer, or one piece of a stream, to be taken
	plainTimeout = 5 * time.Minute  // for somebody else's handler: a profile takes a while
)

// call makes an endpoint of a function from query and body to an answer.
func call[Q, B, A any](fn func(r *http.Request, q Q, b B) (A, error)) endpoint {
	e := stream[Q, B, A](jsonMedia, nil)
	if e.answer == nil {
		e.status, e.media = http.StatusNoContent, ""
	}
	e.serve = func(w http.ResponseWriter, r *http.Request) error {
		q, b, err := decode[Q, B](w, r)
		if err != nil {
			return err
		}
		a, err := fn(r, q, b)
		if err != nil {
			return err
		}
		deadline(w, writeTimeout)
		if e.answer == nil {
			w.WriteHeader(e.status)
			return nil
		}
		writeJSON(w, e.status, jsonMedia, a)
		return nil
	}
	return e
}

// creates is e with the status that says that something was made.
func creates(e endpoint) endpoint {
	serve := e.serve
	e.status = http.StatusCreated
	e.serve = func(w http.ResponseWriter, r *http.Request) error {
		return serve(createdWriter{w}, r)
	}
	return e
}

// createdWriter turns 200 into 201.
type createdWriter struct{ http.ResponseWriter }

func (w createdWriter) WriteHeader(status int) {
	if status == http.StatusOK {
		status = http.StatusCreated
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w createdWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stream makes an endpoint that writes its answer itself: pieces of type A in
// the given media type. A route that upgrades has no A.
func stream[Q, B, A any](media string, fn func(w http.ResponseWriter, r *http.Request, q Q, b B) error) endpoint {
	return endpoint{
		query: typeOf[Q](), body: typeOf[B](), answer: typeOf[A](), status: http.StatusOK, media: media,
		serve: func(w http.ResponseWriter, r *http.Request) error {
			q, b, err := decode[Q, B](w, r)
			if err != nil {
				return err
			}
			return fn(w, r, q, b)
		},
	}
}

// upgrade makes an endpoint whose connection carries raw bytes after a 101.
func upgrade[Q any](fn func(w http.ResponseWriter, r *http.Request, q Q) error) endpoint {
	e := stream[Q, none, none]("", func(w http.ResponseWriter, r *http.Request, q Q, _ none) error { return fn(w, r, q) })
	e.status = http.StatusSwitchingProtocols
	return e
}

// plain makes an endpoint of somebody else's handler.
func plain(media string, h http.Handler) endpoint {
	return endpoint{status: http.StatusOK, media: media, serve: func(w http.ResponseWriter, r *http.Request) error {
		deadline(w, plainTimeout)
		h.ServeHTTP(w, r)
		return nil
	}}
}

// decode reads query and body. A route without a body refuses one.
func decode[Q, B any](w http.ResponseWriter, r *http.Request) (q Q, b B, err error) {
	if err := api.DecodeQuery(r.URL.Query(), &q); err != nil {
		return q, b, err
	}
	// The deadline is taken back: the server goes on reading in order to see
	// the client leave, and must not take a passed deadline for that.
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(bodyTimeout)) //nolint:errcheck // a connection without deadlines has none to set
	defer control.SetReadDeadline(time.Time{})           //nolint:errcheck // as above
	if typeOf[B]() == nil {
		if r.ContentLength != 0 {
			return q, b, wire.Errorf(wire.BadRequest, "%s %s takes no body", r.Method, r.URL.Path)
		}
		return q, b, nil
	}
	return q, b, api.Decode(r.Body, &b)
}

func deadline(w http.ResponseWriter, d time.Duration) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d)) //nolint:errcheck // as in decode
}

func writeJSON(w http.ResponseWriter, status int, media string, v any) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) //nolint:errcheck // the client has gone; there is nobody to tell
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	deadline(w, writeTimeout)
	writeJSON(w, p.Status, api.ProblemType, p)
}
