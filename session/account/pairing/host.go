package pairing

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// Limits of a host.
const (
	attemptTime = 30 * time.Second // for all messages of an attempt
	maxAttempts = 4                // at one time; more are told to come again
	maxConns    = 4 * maxAttempts  // at one time; more are closed without a word
)

// HostConfig is what the old device needs to link a new one.
type HostConfig struct {
	Offer  Offer
	Me     peer.ID
	Random io.Reader
	// Add takes the new device, which calls itself name, into the account, and
	// returns what it is to have. It is called again for the same device when
	// that lost the answer.
	Add func(ctx context.Context, device identity.Device, name string) (account.Bundle, error)
}

// Host is the old device's side of a linking. It is safe for concurrent use.
type Host struct {
	cfg HostConfig

	mu      sync.Mutex
	desk    desk
	added   identity.Device // by the guest that won
	running int             // connections
	over    chan struct{}   // closed when the desk is
}

// NewHost opens a linking, which Wait ends.
func NewHost(cfg HostConfig) *Host {
	return &Host{cfg: cfg, desk: desk{offer: cfg.Offer, opened: time.Now()}, over: make(chan struct{})}
}

// Serve lets the guest on conn try, whom the connection has proven to be far.
// It closes conn. The error tells how the attempt failed, which the guest is
// told as well.
func (h *Host) Serve(ctx context.Context, conn net.Conn, far peer.ID) error {
	defer bound(ctx, conn)()
	err := told(ctx, h.attempt(ctx, conn, host{offer: h.cfg.Offer, ends: ends{guest: far, host: h.cfg.Me}}))
	if code := wire.CodeOf(err); err != nil && code != wire.Closed && code != wire.Timeout {
		h.mu.Lock()
		left := h.desk.left()
		h.mu.Unlock()
		_ = send(conn, refusal(err, left)) // the guest may be gone: the error is told here
	}
	return err
}

func (h *Host) attempt(ctx context.Context, conn net.Conn, side host) error {
	busy, err := h.enter()
	if err != nil {
		return err
	}
	defer h.leave()
	r := bufio.NewReader(conn)
	m, err := receive(r, maxSmall)
	if err != nil {
		return err
	}
	if busy { // told only now, when the guest listens
		return wire.Errorf(wire.Busy, "%d devices try this code already", maxAttempts).WithNext("try again in half a minute")
	}
	if err := expect(m, kindHello, kindHello); err != nil {
		return err
	}
	if err := h.admit(m.mailbox, side.ends.guest); err != nil {
		return err
	}
	side, answer, err := side.hello(m, h.cfg.Random)
	if err != nil {
		return err
	}
	if err := send(conn, answer); err != nil {
		return err
	}
	if m, err = receive(r, maxSmall); err != nil {
		return err
	}
	bundle, err := h.claim(ctx, side, m)
	if err != nil {
		return err
	}
	if err := send(conn, side.grant(bundle.Bytes())); err != nil {
		return err
	}
	if m, err = receive(r, maxSmall); err != nil {
		return err
	}
	if err := expect(m, kindDone, kindDone); err != nil {
		return err
	}
	h.change(func(d desk) desk { return d.finish(side.ends.guest) })
	return nil
}

// claim counts the guest's proof and adds its device.
func (h *Host) claim(ctx context.Context, side host, m message) (account.Bundle, error) {
	device, right, err := side.claim(m)
	if err != nil {
		return account.Bundle{}, err
	}
	h.change(func(d desk) desk {
		d, err = d.judge(time.Now(), device.ID, right)
		return d
	})
	if err != nil {
		return account.Bundle{}, err
	}
	bundle, err := h.cfg.Add(ctx, device, m.name)
	if err != nil {
		return account.Bundle{}, err
	}
	h.mu.Lock()
	h.added = device
	h.mu.Unlock()
	return bundle, nil
}

// Wait returns the device that was linked. Errors are Gone when the code was
// guessed at too often, Expired after Life, and that of ctx; no guest is let
// in after it has returned.
func (h *Host) Wait(ctx context.Context) (identity.Device, error) {
	h.mu.Lock()
	left := time.NewTimer(time.Until(h.desk.opened.Add(Life)))
	h.mu.Unlock()
	defer left.Stop()
	var err error
	select {
	case <-h.over:
	case <-left.C:
		err = wire.Errorf(wire.Expired, "no device was linked within %s", Life).WithNext("make a new code")
	case <-ctx.Done():
		err = ctx.Err()
	}
	var wrong int
	h.change(func(d desk) desk {
		wrong = d.wrong
		d.over = true
		return d
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.added.ID != "": // also if it never said that it has all
		return h.added, nil
	case err == nil && wrong >= guesses:
		err = wire.Errorf(wire.Gone, "somebody tried the code %d times with wrong words: it is void", guesses).WithNext("make a new code")
	case err == nil:
		err = wire.Errorf(wire.Closed, "the linking was ended")
	}
	return identity.Device{}, err
}

func (h *Host) admit(mailbox Mailbox, guest peer.ID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.desk.admit(time.Now(), mailbox, guest)
}

func (h *Host) change(f func(desk) desk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.desk.closed()
	h.desk = f(h.desk)
	if h.desk.closed() && !was {
		close(h.over)
	}
}

// enter counts a connection, and says whether there are others enough.
func (h *Host) enter() (busy bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == maxConns {
		return true, wire.Errorf(wire.Closed, "link: %d connections are open already", maxConns)
	}
	h.running++
	return h.running > maxAttempts, nil
}

func (h *Host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
}

// bound gives a connection the time of one attempt, and ends it with ctx. What
// it returns closes the connection.
func bound(ctx context.Context, conn net.Conn) func() {
	conn.SetDeadline(time.Now().Add(attemptTime))
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return func() {
		stop()
		conn.Close()
	}
}

// told says in words that a connection ended, and that ctx did it if it did.
func told(ctx context.Context, err error) error {
	code := wire.CodeOf(err)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return errors.Join(cause, err)
	}
	switch {
	case err != nil && code == wire.Closed:
		return wire.Errorf(code, "link: the other device has closed the connection: %w", err).WithNext("try again, with the same code")
	case err != nil && code == wire.Timeout:
		return wire.Errorf(code, "link: the other device has not answered: %w", err).WithNext("try again, with the same code")
	}
	return err
}
