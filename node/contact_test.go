package node

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// rootedLog is the log of an account whose devices are nodes, by its root.
func rootedLog(t *testing.T, root crypto.PrivKey, devices ...peer.ID) *identity.DeviceLog {
	t.Helper()
	l, err := identity.NewLog(root, identity.Device{ID: devices[0], Box: identity.BoxKey{1}}, time.Now())
	for i := 1; err == nil && i < len(devices); i++ {
		l, err = l.Append(root, identity.Entry{Op: identity.OpAdd, Device: identity.Device{ID: devices[i], Box: identity.BoxKey{byte(i + 1)}}, At: time.Now()})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestContactPipeIsBoundByBothDevicesUntilOneIsRevoked(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		first := v.start(t, nil)
		nodes := []*Node{first}
		for range 4 {
			n := v.start(t, func(c *Config) { c.Join = []string{ticket(first)} })
			if err := n.Ready(within(t, 5*time.Second)); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, n)
		}
		laptop, phone, guest := nodes[1], nodes[2], nodes[3]
		root, _, err := crypto.GenerateEd25519Key(bytes.NewReader(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
		if err != nil {
			t.Fatal(err)
		}
		log := rootedLog(t, root, laptop.ID(), phone.ID())
		contact := pipe.ContactPipe(log.Account())
		id := contact.ID().String()
		var lost *pipe.Listener
		for _, n := range []*Node{laptop, phone} {
			l, err := n.ListenPipe(within(t, time.Minute), id, pipe.ListenOptions{
				Advertisement: &contact, RelayedOnly: true, As: func() *identity.DeviceLog { return log },
			})
			if err != nil {
				t.Fatal(err)
			}
			lost = l.(*pipe.Listener)
			greet(lost, n.ID().String())
		}
		for _, n := range []*Node{laptop, phone} {
			if got, err := hear(t, guest, id, n.ID()); got != n.ID().String() {
				t.Errorf("%s says %q: %v", n.ID(), got, err)
			}
		}

		revoked, err := log.Append(root, identity.Entry{Op: identity.OpRevoke, Device: identity.Device{ID: phone.ID()}, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		laptop.pipes.ShowLog(revoked)
		if _, err := lost.Accept(); !errors.Is(err, wire.Forbidden) {
			t.Errorf("the phone's listener: %v", err)
		}
		time.Sleep(time.Second)
		if got, err := hear(t, guest, id, phone.ID()); !errors.Is(err, wire.Unbound) {
			t.Errorf("the phone still says %q: %v", got, err)
		}
		if got, err := hear(t, guest, id, laptop.ID()); got != laptop.ID().String() {
			t.Errorf("the laptop says %q: %v", got, err)
		}
	})
}

// greet tells every dialer a name.
func greet(l *pipe.Listener, name string) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, name)
			c.Close()
		}
	}()
}

// hear dials one binder of a pipe and returns what it says.
func hear(t *testing.T, from *Node, id string, at peer.ID) (string, error) {
	t.Helper()
	c, err := from.DialPipe(within(t, time.Minute), id, pipe.DialOptions{Binders: []peer.ID{at}})
	if err != nil {
		return "", err
	}
	defer c.Close()
	said, err := io.ReadAll(c)
	return string(said), err
}
