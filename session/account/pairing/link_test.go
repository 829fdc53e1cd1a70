package pairing

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

func TestATypedCodeLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		typed, err := ParseCode(l.code.String())
		if err != nil {
			t.Fatal(err)
		}
		a, guestErr, hostErr := l.try(t, newGuest(t, guestNo, typed.Offer()))
		if err := errors.Join(guestErr, hostErr); err != nil {
			t.Fatal(err)
		}
		old, _ := l.keeper.Account()
		if a.ID() != old.ID() || !a.Profile().Equal(old.Profile()) || a.Profile().DeviceName(a.Me()) != "phone" || !a.Current() {
			t.Errorf("%+v", a.Profile())
		}
		if d, err := l.Wait(context.Background()); err != nil || d.ID != a.Me() {
			t.Errorf("linked %v, %v", d.ID, err)
		}
		_, again, _ := l.try(t, newGuest(t, 3, typed.Offer()))
		wantCode(t, "a code that was used", again, wire.Gone)
	})
}

func TestATicketLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		ticket, err := NewTicket(testTicket(t), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		l.Host = NewHost(HostConfig{Offer: ticket.Offer(), Me: testPeer(t, hostNo), Random: rand.Reader, Add: l.cfg.Add})
		scanned, err := ParseTicket(strings.ToUpper(ticket.String()))
		if err != nil {
			t.Fatal(err)
		}
		if _, guestErr, hostErr := l.try(t, newGuest(t, guestNo, scanned.Offer())); guestErr != nil || hostErr != nil {
			t.Errorf("%v, %v", guestErr, hostErr)
		}
	})
}

func testTicket(t testing.TB) identity.Ticket {
	return identity.Ticket{Overlay: "panpipe", Peers: []peer.AddrInfo{
		{ID: testPeer(t, hostNo), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/4001")}},
	}}
}

// TestThreeGuessesVoidACode, also for who knows it.
func TestThreeGuessesVoidACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		for n := range guesses {
			_, err, _ := l.try(t, newGuest(t, byte(10+n), l.code.wrong().Offer()))
			wantCode(t, "wrong words", err, wire.Forbidden)
			if left := guesses - 1 - n; !strings.Contains(wire.NextOf(err), string(rune('0'+left))+" tries") {
				t.Errorf("guess %d is told %q", n+1, wire.NextOf(err))
			}
		}
		_, err, _ := l.try(t, newGuest(t, guestNo, l.code.Offer()))
		wantCode(t, "right words, too late", err, wire.Gone)
		_, err = l.Wait(context.Background())
		wantCode(t, "the person is told", err, wire.Gone)
		if n := len(l.devices()); n != 1 {
			t.Errorf("%d devices", n)
		}
	})
}

func TestWrongMailboxNamesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		other := l.code
		other.Mailbox[0] ^= 1
		for range 5 * guesses {
			_, err, _ := l.try(t, newGuest(t, guestNo, other.Offer()))
			wantCode(t, "wrong mailbox", err, wire.Unknown)
		}
		if _, guestErr, hostErr := l.try(t, newGuest(t, guestNo, l.code.Offer())); guestErr != nil || hostErr != nil {
			t.Errorf("%v, %v", guestErr, hostErr)
		}
	})
}

// TestAbandonedAttemptsDoNotCount: who goes away before the proof has learnt
// nothing, so a lost connection costs no guess.
func TestAbandonedAttemptsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		for range 5 * guesses {
			near, far := net.Pipe()
			go l.Serve(context.Background(), far, testPeer(t, guestNo))
			_, m, err := guest{offer: l.code.Offer()}.hello(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := send(near, m); err != nil {
				t.Fatal(err)
			}
			near.Close()
			synctest.Wait()
		}
		if _, guestErr, hostErr := l.try(t, newGuest(t, guestNo, l.code.Offer())); guestErr != nil || hostErr != nil {
			t.Errorf("%v, %v", guestErr, hostErr)
		}
	})
}

func TestACodeIsGoodForTenMinutes(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  wire.Code
	}{{Life - time.Nanosecond, wire.OK}, {Life, wire.Expired}} {
		synctest.Test(t, func(t *testing.T) {
			l := newLinking(t)
			time.Sleep(c.after)
			_, err, _ := l.try(t, newGuest(t, guestNo, l.code.Offer()))
			wantCode(t, c.after.String(), err, c.want)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l, start := newLinking(t), time.Now()
		_, err := l.Wait(context.Background())
		wantCode(t, "nobody came", err, wire.Expired)
		if took := time.Since(start); took != Life {
			t.Errorf("after %s", took)
		}
	})
}

// TestAnInterceptorGetsNothing: it sits between the devices with an ID of its
// own, passes every message on, and neither side goes on with it.
func TestAnInterceptorGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		middle := testPeer(t, 66)
		toGuest, near := net.Pipe()
		toHost, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- l.Serve(context.Background(), far, middle) }()
		go pass(toGuest, toHost)
		go pass(toHost, toGuest)
		_, err := newGuest(t, guestNo, l.code.Offer()).Join(context.Background(), near, middle)
		wantCode(t, "guest", err, wire.Forbidden)
		wantCode(t, "host", <-served, wire.Forbidden)
		toGuest.Close()
		toHost.Close()
		if n := len(l.devices()); n != 1 {
			t.Errorf("%d devices", n)
		}
	})
}

func pass(from, to net.Conn) {
	defer to.Close()
	r := bufio.NewReader(from)
	for {
		m, err := receive(r, maxGrant)
		if err != nil || send(to, m) != nil {
			return
		}
	}
}

// TestAReplayIsAWrongGuess: all that a guest has said, said again.
func TestAReplayIsAWrongGuess(t *testing.T) {
	l := newLinking(t)
	side := guest{offer: l.code.Offer(), ends: ends{guest: testPeer(t, guestNo), host: testPeer(t, hostNo)}}
	at := host{offer: l.code.Offer(), ends: side.ends}
	side, hello, err1 := side.hello(rand.Reader)
	first, answer, err2 := at.hello(hello, rand.Reader)
	_, claim, err3 := side.answer(answer, testBox(t).Public(), "phone")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if _, right, err := first.claim(claim); err != nil || !right {
		t.Fatalf("the first time: %v, %v", right, err)
	}
	again, _, err := at.hello(hello, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, right, err := again.claim(claim); err != nil || right {
		t.Errorf("the second time: %v, %v", right, err)
	}
}

// TestAnImpostorCannotGiveAnAccount: who does not know the code, but sits where
// the guest dials.
func TestAnImpostorCannotGiveAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		near, far := net.Pipe()
		g := newGuest(t, guestNo, l.code.Offer())
		go func() {
			r := bufio.NewReader(far)
			hello, _ := receive(r, maxSmall)
			side, answer, _ := host{offer: l.code.wrong().Offer(), ends: ends{guest: g.Me, host: testPeer(t, 66)}}.hello(hello, rand.Reader)
			send(far, answer)
			receive(r, maxSmall)
			send(far, side.grant([]byte("another account")))
		}()
		_, err := g.Join(context.Background(), near, testPeer(t, 66))
		wantCode(t, "impostor", err, wire.Forbidden)
	})
}

// TestALostGrantIsGivenAgain, to the same device and nobody else.
func TestALostGrantIsGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		g := newGuest(t, guestNo, l.code.Offer())
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- l.Serve(context.Background(), far, g.Me) }()
		if _, err := g.attempt(near, testPeer(t, hostNo)); err != nil { // and then it dies
			t.Fatal(err)
		}
		near.Close()
		wantCode(t, "host without done", <-served, wire.Closed)
		_, err, _ := l.try(t, newGuest(t, 3, l.code.Offer()))
		wantCode(t, "another device", err, wire.Taken)
		a, guestErr, hostErr := l.try(t, newGuest(t, guestNo, l.code.Offer())) // with a new box key
		if guestErr != nil || hostErr != nil || !a.Current() || len(l.devices()) != 2 {
			t.Errorf("%v, %v, %d devices", guestErr, hostErr, len(l.devices()))
		}
	})
}

func TestASilentGuestIsCutOffAndFourAreEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		start := time.Now()
		ended := make(chan error, maxAttempts)
		for range maxAttempts {
			_, far := net.Pipe()
			go func() { ended <- l.Serve(context.Background(), far, testPeer(t, 66)) }()
		}
		synctest.Wait()
		_, err, _ := l.try(t, newGuest(t, guestNo, l.code.Offer()))
		wantCode(t, "one too many", err, wire.Busy)
		for range maxAttempts {
			wantCode(t, "silent", <-ended, wire.Timeout)
		}
		if took := time.Since(start); took != attemptTime {
			t.Errorf("after %s", took)
		}
		if _, guestErr, hostErr := l.try(t, newGuest(t, guestNo, l.code.Offer())); guestErr != nil || hostErr != nil {
			t.Errorf("%v, %v", guestErr, hostErr)
		}
	})
}

func TestAPersonWhoStopsEndsTheLinking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		_, err, _ := l.try(t, newGuest(t, guestNo, l.code.Offer()))
		wantCode(t, "afterwards", err, wire.Gone)

		near, _ := net.Pipe()
		if _, err := newGuest(t, guestNo, l.code.Offer()).Join(ctx, near, testPeer(t, hostNo)); !errors.Is(err, context.Canceled) {
			t.Errorf("guest: %v", err)
		}
	})
}

// TestAHostThatCannotAddTellsWhy, and the same guest may come again.
func TestAHostThatCannotAddTellsWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLinking(t)
		add := l.cfg.Add
		l.cfg.Add = func(context.Context, identity.Device, string) (account.Bundle, error) {
			return account.Bundle{}, wire.Errorf(wire.Limit, "32 devices, the most there can be")
		}
		_, err, _ := l.try(t, newGuest(t, guestNo, l.code.Offer()))
		wantCode(t, "full", err, wire.Limit)
		if !strings.Contains(err.Error(), "32 devices") {
			t.Errorf("told %q", err)
		}
		l.cfg.Add = add
		if _, guestErr, hostErr := l.try(t, newGuest(t, guestNo, l.code.Offer())); guestErr != nil || hostErr != nil {
			t.Errorf("%v, %v", guestErr, hostErr)
		}
	})
}

// BenchmarkLink is a whole attempt, both sides, over a pipe in memory.
func BenchmarkLink(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		l := newLinking(b)
		g := newGuest(b, guestNo, l.code.Offer())
		b.StartTimer()
		if _, guestErr, hostErr := l.try(b, g); guestErr != nil || hostErr != nil {
			b.Fatal(guestErr, hostErr)
		}
	}
}
