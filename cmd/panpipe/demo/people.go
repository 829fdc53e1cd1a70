package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// people are those of the demo: two accounts on three nodes.
type people struct {
	s                  *stage
	laptop, phone, bob *daemon
	alice, bobs        string // account IDs
}

// meetPeople has two people become buddies and chat, over devices that come, go
// and are thrown out.
func meetPeople(ctx context.Context, s *stage) error {
	p := &people{s: s, laptop: s.nodes[2], phone: s.nodes[3], bob: s.nodes[4]}
	for _, act := range []func(context.Context) error{p.begin, p.befriend, p.talk, p.missBob, p.losePhone} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the accounts, and links the phone to that of the laptop.
func (p *people) begin(ctx context.Context) (err error) {
	words := filepath.Join(p.s.dir, "words")
	if err := os.WriteFile(words, []byte("correct horse battery\n"), 0o600); err != nil {
		return err
	}
	if p.alice, err = p.newAccount(ctx, p.laptop, "alice", "laptop", words); err != nil {
		return err
	}
	if p.bobs, err = p.newAccount(ctx, p.bob, "bob", "desk", words); err != nil {
		return err
	}
	return p.linkPhone(ctx)
}

// linkPhone has the laptop show a code, which is typed on the phone.
func (p *people) linkPhone(ctx context.Context) error {
	typed := make(chan error, 1)
	for e, err := range p.laptop.client.LinkDevice(ctx) {
		if err != nil {
			return err
		}
		switch e.Kind {
		case api.LinkOffered:
			p.s.note("node 3$ panpipe account link\ncode %s", e.Code)
			p.s.note("node 4$ panpipe account link %s", e.Code)
			go func() {
				_, err := p.phone.run(ctx, "account", "link", e.Code, "--device", "phone")
				typed <- err
			}()
		case api.LinkLinked:
			p.s.note("linked: %s", e.Name)
			return <-typed
		case api.LinkClosed:
			return wire.Errorf(wire.Closed, "the linking has ended: %v", e.Problem)
		}
	}
	return errors.New("the linking ended without a word")
}

func (p *people) newAccount(ctx context.Context, n *daemon, name, device, words string) (id string, err error) {
	out, err := n.run(ctx, "account", "new", "--name", name, "--device", device,
		"--recovery", filepath.Join(p.s.dir, name+".recovery"), "--passphrase-file", words)
	if err != nil {
		return "", err
	}
	for _, word := range strings.Fields(out) {
		if strings.HasPrefix(word, "acct:") {
			p.s.note("node %s$ panpipe account new --name %s --recovery %s.recovery\naccount %s", n.name, name, name, word)
			return word, nil
		}
	}
	return "", fmt.Errorf("account new says no account: %s", out)
}

// befriend has bob ask and alice accept, on her phone.
func (p *people) befriend(ctx context.Context) error {
	began := time.Now()
	p.s.note("node 5$ panpipe buddy add %s", p.alice)
	if _, err := p.bob.run(ctx, "buddy", "add", p.alice, "--note", "it is bob"); err != nil {
		return err
	}
	if err := until(ctx, p.phone, func() (bool, error) {
		all, err := p.phone.client.Requests(ctx)
		return len(all) == 1 && all[0].Account == p.bobs, err
	}); err != nil {
		return fmt.Errorf("the request does not come to the phone: %w", err)
	}
	if _, err := p.phone.run(ctx, "buddy", "accept", "bob"); err != nil {
		return err
	}
	p.s.note("node 4$ panpipe buddy accept bob")
	for _, n := range []*daemon{p.laptop, p.phone} {
		if err := p.sees(ctx, p.bob, p.alice, n, api.PresenceConnected); err != nil {
			return err
		}
	}
	p.s.verified(map[string]float64{"buddies_ms": ms(time.Since(began))},
		"buddies, and connected to both of alice's devices, %.0f ms after bob asked", ms(time.Since(began)))
	return nil
}

// sees waits until a device of an account is as near as that.
func (p *people) sees(ctx context.Context, n *daemon, account string, device *daemon, presence string) error {
	err := until(ctx, n, func() (bool, error) {
		b, err := n.client.Buddy(ctx, account, api.BuddiesQuery{})
		at := slices.IndexFunc(b.Devices, func(d api.BuddyDevice) bool { return d.Peer == device.ident.Peer })
		return at >= 0 && b.Devices[at].Presence == presence, err
	})
	if err != nil {
		return fmt.Errorf("node %s does not see node %s as %s: %w", n.name, device.name, presence, err)
	}
	return nil
}

// say sends a message by the command line, and waits until it has arrived.
func (p *people) say(ctx context.Context, n *daemon, to, text string) error {
	p.s.note("node %s$ panpipe chat %s --send %q", n.name, to, text)
	_, err := n.run(ctx, "chat", to, "--send", text, "--wait", "20s")
	return err
}

// talk has all three write, and compares what they have.
func (p *people) talk(ctx context.Context) error {
	for _, m := range []struct {
		n        *daemon
		to, text string
	}{
		{p.laptop, "bob", "hello from my laptop"}, {p.bob, "alice", "hello alice 👋"}, {p.phone, "bob", "and from my phone"},
	} {
		if err := p.say(ctx, m.n, m.to, m.text); err != nil {
			return err
		}
	}
	want := []string{"hello from my laptop", "hello alice 👋", "and from my phone"}
	if err := p.same(ctx, want, p.laptop, p.phone, p.bob); err != nil {
		return err
	}
	p.s.verified(nil, "the same %d messages in the same order on three devices", len(want))
	return nil
}

// same waits until nodes have a conversation of exactly these texts.
func (p *people) same(ctx context.Context, want []string, nodes ...*daemon) error {
	for _, n := range nodes {
		with, got := p.bobs, []string(nil)
		if n == p.bob {
			with = p.alice
		}
		err := until(ctx, n, func() (bool, error) {
			page, err := n.client.Messages(ctx, with, api.MessagesQuery{Limit: 100})
			got = nil
			for _, m := range page.Messages {
				got = append(got, m.Text)
			}
			return slices.Equal(got, want), err
		})
		if err != nil {
			return fmt.Errorf("node %s has %q, not %q: %w", n.name, got, want, err)
		}
	}
	return nil
}

// missBob has bob away while alice writes on both devices.
func (p *people) missBob(ctx context.Context) error {
	if err := p.bob.stop(); err != nil {
		return err
	}
	began := time.Now()
	if err := p.sees(ctx, p.laptop, p.bobs, p.bob, api.PresenceOffline); err != nil {
		return err
	}
	p.s.note("node 5 stopped; alice sees bob go after %.0f ms", ms(time.Since(began)))
	for _, n := range []*daemon{p.laptop, p.phone} {
		if _, err := n.run(ctx, "chat", "bob", "--send", "are you there? from node "+n.name); err != nil {
			return err
		}
	}
	if _, err := p.bob.start(ctx); err != nil {
		return err
	}
	began = time.Now()
	want := []string{"hello from my laptop", "hello alice 👋", "and from my phone", "are you there? from node 3", "are you there? from node 4"}
	if err := p.same(ctx, want, p.bob, p.laptop, p.phone); err != nil {
		return err
	}
	p.s.verified(map[string]float64{"delivered_ms": ms(time.Since(began))},
		"node 5 started again: both messages that were written meanwhile are there, once, %.0f ms after it was ready", ms(time.Since(began)))
	return nil
}

// losePhone has the phone thrown out of the account.
func (p *people) losePhone(ctx context.Context) error {
	p.s.note("node 3$ panpipe account revoke phone")
	began := time.Now()
	if _, err := p.laptop.run(ctx, "account", "revoke", "phone"); err != nil {
		return err
	}
	if err := until(ctx, p.bob, func() (bool, error) {
		b, err := p.bob.client.Buddy(ctx, p.alice, api.BuddiesQuery{})
		return len(b.Devices) == 1 && b.Devices[0].Peer == p.laptop.ident.Peer, err
	}); err != nil {
		return fmt.Errorf("bob does not hear that the phone is out: %w", err)
	}
	took := ms(time.Since(began))
	if err := p.say(ctx, p.laptop, "bob", "my phone was stolen"); err != nil {
		return err
	}
	if out, err := p.phone.run(ctx, "chat", "bob", "--send", "it is alice, believe me"); err == nil {
		return fmt.Errorf("the revoked phone writes: %s", out)
	}
	page, err := p.phone.client.Messages(ctx, p.bobs, api.MessagesQuery{Limit: 100})
	if err != nil {
		return err
	}
	if last := page.Messages[len(page.Messages)-1].Text; last == "my phone was stolen" {
		return fmt.Errorf("the revoked phone still hears what is said")
	}
	p.s.verified(map[string]float64{"revoked_ms": took},
		"bob knew %.0f ms later; the phone can neither write nor hear", took)
	return nil
}

// until waits for what events of a node lead to, at most 20 s.
func until(ctx context.Context, n *daemon, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, err := range n.client.Events(ctx, 1) { // from the first that is kept on, so that there is one to begin with
		if ok, failed := done(); ok {
			return nil
		} else if failed != nil && wire.CodeOf(failed) != wire.Unknown {
			return failed
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
