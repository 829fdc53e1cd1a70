package node

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/linking"
)

const testPassphrase = "correct horse battery"

func wantCode(t *testing.T, what string, err error, want wire.Code) {
	t.Helper()
	if got := wire.CodeOf(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, err, got, want)
	}
}

// newAccount makes an account on a node, and returns its recovery file.
func newAccount(t *testing.T, n *Node, name, device string) []byte {
	t.Helper()
	d, err := n.DraftAccount(testPassphrase, account.SetName(name), account.NameDevice(n.ID(), device))
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := n.Account(); !a.IsZero() {
		t.Error("a draft is kept already")
	}
	if err := n.KeepAccount(t.Context(), d.Account); err != nil {
		t.Fatal(err)
	}
	return d.Recovery
}

func devicesOf(n *Node) (names []string) {
	a, _ := n.Account()
	for _, d := range a.Log().Devices() {
		names = append(names, a.Profile().DeviceName(d.ID))
	}
	return names
}

func TestAccountLivesFromKeepToLogout(t *testing.T) {
	defer noLeak(t)
	cfg := local("/ip4/127.0.0.1/udp/0/quic-v1")
	cfg.StateDir = t.TempDir()
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Roster()
	wantCode(t, "roster without account", err, wire.NotReady)
	_, err = n.EditAccount(t.Context(), account.SetName("x"))
	wantCode(t, "edit without account", err, wire.NotReady)
	wantCode(t, "logout without account", n.LogoutAccount(t.Context()), wire.NotReady)
	wantCode(t, "nothing to keep", n.KeepAccount(t.Context(), account.Account{}), wire.BadRequest)
	_, err = n.DraftAccount("short")
	wantCode(t, "short passphrase", err, wire.BadRequest)

	newAccount(t, n, "Alice", "laptop")
	a, changed := n.Account()
	if a.Profile().Name() != "Alice" || !slices.Equal(devicesOf(n), []string{"laptop"}) {
		t.Errorf("%q on %q", a.Profile().Name(), devicesOf(n))
	}
	if r, err := n.Roster(); err != nil || r.Account() != a.ID() {
		t.Errorf("roster: %v", err)
	}
	_, err = n.DraftAccount(testPassphrase)
	wantCode(t, "a second account", err, wire.Taken)
	wantCode(t, "keeping it again", n.KeepAccount(t.Context(), a), wire.Taken)
	if _, err := n.EditAccount(t.Context(), account.SetContact(account.ContactDirect)); err != nil {
		t.Error(err)
	}
	<-changed
	_, err = n.RevokeDevice(t.Context(), n.ID())
	wantCode(t, "revoking itself", err, wire.BadRequest)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}

	if n, err = Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if again, _ := n.Account(); again.ID() != a.ID() || again.Profile().Contact() != account.ContactDirect {
		t.Errorf("after a restart: %s", again.ID())
	}
	if _, err := n.Roster(); err != nil {
		t.Error(err)
	}
	if err := n.store.SaveContact(t.Context(), a.ID(), []byte("somebody")); err != nil {
		t.Fatal(err)
	}
	if err := n.LogoutAccount(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := n.store.Contacts(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%d contacts are left, %v", len(left), err)
	}
	if _, err := os.Stat(filepath.Join(cfg.StateDir, store.JournalName)); err == nil {
		t.Error("the history is still there")
	}
	_, err = n.Roster()
	wantCode(t, "roster after logout", err, wire.NotReady)
	newAccount(t, n, "Carol", "desk")
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// TestAJournalWithoutAccountIsSetAside: nothing of it is lost, and no other
// account shows it as its own.
func TestAJournalWithoutAccountIsSetAside(t *testing.T) {
	cfg := local("/ip4/127.0.0.1/udp/0/quic-v1")
	cfg.StateDir = t.TempDir()
	n := start(t, cfg)
	path := filepath.Join(cfg.StateDir, store.JournalName)
	if err := os.WriteFile(path, []byte("of somebody"), 0o600); err != nil {
		t.Fatal(err)
	}
	newAccount(t, n, "Alice", "")
	aside, err := filepath.Glob(path + ".*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("%q, %v", aside, err)
	}
	if b, err := os.ReadFile(aside[0]); err != nil || string(b) != "of somebody" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestRecoveryFileBringsAnAccountBack(t *testing.T) {
	first := start(t, local("/ip4/127.0.0.1/udp/0/quic-v1"))
	file := newAccount(t, first, "Alice", "lost laptop")
	fresh, err := first.ExportAccount(file, testPassphrase, "another passphrase")
	if err != nil {
		t.Fatal(err)
	}
	_, err = first.ExportAccount(file, "wrong horse battery", "")
	wantCode(t, "export with a wrong passphrase", err, wire.Forbidden)

	n := start(t, local("/ip4/127.0.0.1/udp/0/quic-v1"))
	_, err = n.ImportAccount(t.Context(), account.ImportRequest{File: fresh, Passphrase: testPassphrase})
	wantCode(t, "import with the old passphrase", err, wire.Forbidden)
	a, err := n.ImportAccount(t.Context(), account.ImportRequest{File: fresh, Passphrase: "another passphrase", Name: "new laptop"})
	old, _ := first.Account()
	if err != nil || a.ID() != old.ID() || a.Profile().Name() != "Alice" || !slices.Equal(devicesOf(n), []string{"new laptop"}) {
		t.Errorf("%v, %q", err, devicesOf(n))
	}
	_, err = n.ImportAccount(t.Context(), account.ImportRequest{File: file, Passphrase: testPassphrase})
	wantCode(t, "import of what is there", err, wire.Taken)
	other := start(t, local("/ip4/127.0.0.1/udp/0/quic-v1"))
	newAccount(t, other, "Bob", "")
	_, err = other.ExportAccount(file, testPassphrase, "")
	wantCode(t, "export with another's root key", err, wire.Forbidden)
}

// hosting is LinkDevice while it runs.
type hosting struct {
	offer  chan linking.Offer
	failed chan linking.Attempt
	device chan identity.Device
	err    chan error
	stop   context.CancelFunc
}

func hostLink(t *testing.T, n *Node) hosting {
	ctx, stop := context.WithCancel(t.Context())
	h := hosting{
		offer: make(chan linking.Offer, 1), failed: make(chan linking.Attempt, 16),
		device: make(chan identity.Device, 1), err: make(chan error, 1), stop: stop,
	}
	go func() {
		d, err := n.LinkDevice(ctx, func(o linking.Offer) { h.offer <- o }, func(a linking.Attempt) { h.failed <- a })
		h.device <- d
		h.err <- err
	}()
	return h
}

// mistyped is a code with two other words of the list.
func mistyped(code string) string {
	parts := strings.Split(code, "-")
	parts[2], parts[3] = "velvet", "anchor"
	return strings.Join(parts, "-")
}

func TestDevicesAreLinkedByCodeAndByTicket(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		laptop := v.start(t, nil)
		joins := func(c *Config) { c.Join = []string{ticket(laptop)} }
		phone, tablet := v.start(t, joins), v.start(t, nil) // the tablet has joined nothing
		newAccount(t, laptop, "Alice", "laptop")
		if err := phone.Ready(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}

		h := hostLink(t, laptop)
		offer := <-h.offer
		_, err := phone.JoinAccount(t.Context(), mistyped(offer.Code), "phone")
		wantCode(t, "wrong words", err, wire.Forbidden)
		if a := <-h.failed; a.Device != phone.ID() || wire.CodeOf(a.Err) != wire.Forbidden {
			t.Errorf("told of %+v", a)
		}
		began := time.Now()
		a, err := phone.JoinAccount(t.Context(), strings.ToUpper(offer.Code), "phone")
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("linked after %v", took)
		}
		if d, err := <-h.device, <-h.err; err != nil || d.ID != phone.ID() {
			t.Errorf("the laptop says %v, %v", d.ID, err)
		}
		if a.Profile().Name() != "Alice" || !slices.Equal(devicesOf(phone), []string{"laptop", "phone"}) || !slices.Equal(devicesOf(laptop), []string{"laptop", "phone"}) {
			t.Errorf("%q on %q", a.Profile().Name(), devicesOf(phone))
		}
		_, err = tablet.JoinAccount(t.Context(), offer.Ticket, "tablet")
		wantCode(t, "a ticket beside a code that was used", err, wire.Unbound)

		h = hostLink(t, phone) // which device does not matter
		if _, err := tablet.JoinAccount(t.Context(), (<-h.offer).Ticket, "tablet"); err != nil {
			t.Fatal(err)
		}
		if err := <-h.err; err != nil {
			t.Error(err)
		}
		if got := devicesOf(tablet); !slices.Equal(got, []string{"laptop", "phone", "tablet"}) {
			t.Errorf("%q", got)
		}
		_, err = tablet.JoinAccount(t.Context(), offer.Code, "")
		wantCode(t, "an account twice", err, wire.Taken)
	})
}

func TestALinkingEndsByGuessesTimeOrItsPerson(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		laptop := v.start(t, nil)
		phone := v.start(t, func(c *Config) { c.Join = []string{ticket(laptop)} })
		_, err := laptop.LinkDevice(t.Context(), nil, nil)
		wantCode(t, "linking without account", err, wire.NotReady)
		newAccount(t, laptop, "Alice", "laptop")
		if err := phone.Ready(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		h := hostLink(t, laptop)
		offer := <-h.offer
		for range 3 {
			_, err := phone.JoinAccount(t.Context(), mistyped(offer.Code), "")
			wantCode(t, "a guess", err, wire.Forbidden)
		}
		wantCode(t, "the person is told", <-h.err, wire.Gone)
		_, err = phone.JoinAccount(t.Context(), offer.Code, "")
		wantCode(t, "too late", err, wire.Unbound)

		began := time.Now()
		h = hostLink(t, laptop)
		wantCode(t, "nobody came", <-h.err, wire.Expired)
		if took := time.Since(began); took < 10*time.Minute || took > 10*time.Minute+5*time.Second {
			t.Errorf("after %v", took)
		}
		h = hostLink(t, laptop)
		offer = <-h.offer
		h.stop()
		if err := <-h.err; err == nil {
			t.Error("a linking that was ended has linked")
		}
		_, err = phone.JoinAccount(t.Context(), offer.Ticket, "")
		wantCode(t, "a linking that was ended", err, wire.Unbound)
		for text, code := range map[string]wire.Code{"": wire.BadRequest, "k7qm": wire.BadRequest, "link:zzz": wire.BadRequest, ticket(laptop): wire.BadRequest} {
			_, err := phone.JoinAccount(t.Context(), text, "")
			wantCode(t, "joining by "+text, err, code)
		}
		if len(devicesOf(laptop)) != 1 {
			t.Errorf("%q", devicesOf(laptop))
		}
	})
}

func TestARevokedDeviceCanBeLinkedAgain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		laptop := v.start(t, nil)
		phone := v.start(t, func(c *Config) { c.Join = []string{ticket(laptop)} })
		newAccount(t, laptop, "Alice", "laptop")
		for range 2 {
			h := hostLink(t, laptop)
			if _, err := phone.JoinAccount(t.Context(), (<-h.offer).Ticket, "phone"); err != nil {
				t.Fatal(err)
			}
			if err := <-h.err; err != nil {
				t.Fatal(err)
			}
			if _, err := laptop.RevokeDevice(t.Context(), phone.ID()); err != nil {
				t.Fatal(err)
			}
			_, err := laptop.RevokeDevice(t.Context(), phone.ID())
			wantCode(t, "revoking twice", err, wire.Unknown)
			shown, _ := laptop.Account()
			if _, err := phone.people.keeper.Update(t.Context(), func(a account.Account) (account.Account, error) {
				next, _, err := a.Adopt(phone.act(), shown.Log())
				return next, err
			}); err != nil {
				t.Fatal(err)
			}
			_, err = phone.LinkDevice(t.Context(), nil, nil)
			wantCode(t, "linking by a device that was revoked", err, wire.Forbidden)
			_, err = phone.EditAccount(t.Context(), account.SetName("Mallory"))
			wantCode(t, "editing by it", err, wire.Forbidden)
		}
	})
}

// TestAnImportKeepsTheDevicesThatShowThemselves: the recovery file is older than
// the phone, which the overlay knows.
func TestAnImportKeepsTheDevicesThatShowThemselves(t *testing.T) {
	for name, row := range map[string]struct {
		alone bool
		want  []string
	}{"all": {false, []string{"desk", "laptop", "phone"}}, "alone": {true, []string{"desk"}}} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, v *virtual) {
				laptop := v.start(t, nil)
				joins := func(c *Config) { c.Join = []string{ticket(laptop)} }
				phone, desk := v.start(t, joins), v.start(t, joins)
				file := newAccount(t, laptop, "Alice", "laptop")
				h := hostLink(t, laptop)
				if _, err := phone.JoinAccount(t.Context(), (<-h.offer).Ticket, "phone"); err != nil {
					t.Fatal(err)
				}
				<-h.err
				time.Sleep(10 * time.Second)
				a, err := desk.ImportAccount(t.Context(), account.ImportRequest{File: file, Passphrase: testPassphrase, Name: "desk", Alone: row.alone})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, d := range a.Log().Devices() {
					got = append(got, map[string]string{laptop.ID().String(): "laptop", phone.ID().String(): "phone", desk.ID().String(): "desk"}[d.ID.String()])
				}
				if !slices.Equal(got, row.want) {
					t.Errorf("%q, want %q", got, row.want)
				}
				time.Sleep(10 * time.Minute)
				for _, n := range []*Node{laptop, phone} {
					if a, _ := n.Account(); !row.alone && (!a.Current() || !a.Log().Valid(desk.ID())) {
						t.Errorf("%s: revoked %t, current %t, %v", a.Profile().DeviceName(n.ID()), a.Revoked(), a.Current(), n.Devices())
					}
				}
			})
		})
	}
}

// TestOtherDevicesHearOfALogout: the device says so before it goes.
func TestOtherDevicesHearOfALogout(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		laptop := v.start(t, nil)
		phone := v.start(t, func(c *Config) { c.Join = []string{ticket(laptop)} })
		newAccount(t, laptop, "Alice", "laptop")
		h := hostLink(t, laptop)
		if _, err := phone.JoinAccount(t.Context(), (<-h.offer).Ticket, "phone"); err != nil {
			t.Fatal(err)
		}
		<-h.err
		time.Sleep(30 * time.Second) // they find each other
		began := time.Now()
		if err := phone.LogoutAccount(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("logout took %v", time.Since(began))
		time.Sleep(5 * time.Second)
		if got := devicesOf(laptop); !slices.Equal(got, []string{"laptop"}) {
			t.Errorf("the laptop still has %q", got)
		}
		if a, _ := laptop.Account(); a.NeedsRotation() || !a.Current() {
			t.Error("the profile key was not replaced")
		}
		if a, _ := phone.Account(); !a.IsZero() {
			t.Error("the phone still has the account")
		}
	})
}
