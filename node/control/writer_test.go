package control

import (
	"net/http"
	"time"
)

// pipeWriter is a ResponseWriter that hands over what is written.
type pipeWriter struct{ wrote chan string }

func newPipeWriter() *pipeWriter { return &pipeWriter{wrote: make(chan string, 16)} }

func (w *pipeWriter) Header() http.Header              { return http.Header{} }
func (w *pipeWriter) WriteHeader(int)                  {}
func (w *pipeWriter) Write(p []byte) (int, error)      { w.wrote <- string(p); return len(p), nil }
func (w *pipeWriter) FlushError() error                { return nil }
func (w *pipeWriter) SetWriteDeadline(time.Time) error { return nil }
