package pairing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"io"
	"strings"
	"unicode"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Sizes in bytes.
const (
	MailboxSize = 5  // of a mailbox name: 40 bits
	secretSize  = 16 // of a ticket's secret
)

// Mailbox is where two devices that link meet: a name, no secret.
type Mailbox [MailboxSize]byte

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

func encoding() *base32.Encoding { return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding) }

// String returns the name as it is typed: eight characters in two groups.
func (m Mailbox) String() string {
	s := encoding().EncodeToString(m[:])
	return s[:4] + "-" + s[4:]
}

// Offer is what both devices need to know of a linking: where they meet, and
// the secret that only they share.
type Offer struct {
	Mailbox Mailbox
	secret  []byte
}

// Code is what a person reads on one device and types on the other.
type Code struct {
	Mailbox Mailbox
	words   [2]int // places in the list of words: 20 bits
}

// NewCode draws a code from random.
func NewCode(random io.Reader) (Code, error) {
	var b [MailboxSize + 4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Code{}, wire.Errorf(wire.Internal, "link code: no random bytes: %w", err)
	}
	c := Code{Mailbox: Mailbox(b[:MailboxSize])}
	for i := range c.words {
		two := b[MailboxSize+2*i:]
		c.words[i] = (int(two[0])<<8 | int(two[1])) % wordCount
	}
	return c, nil
}

// String returns the code as it is shown: "k7qm-2fxd-anchor-velvet".
func (c Code) String() string {
	list := words()
	return c.Mailbox.String() + "-" + list[c.words[0]] + "-" + list[c.words[1]]
}

// Offer returns what the code says.
func (c Code) Offer() Offer {
	list := words()
	return Offer{Mailbox: c.Mailbox, secret: []byte("panpipe/link-code/1 " + list[c.words[0]] + " " + list[c.words[1]])}
}

// maxTyped caps what is taken for a code, in bytes.
const maxTyped = 256

// ParseCode reads a code as people type it: in any case, with hyphens, spaces
// or any other signs between the parts, none within the mailbox name, with 0, 1 and 8 for the
// letters o, l and b, words down to their first four letters. Errors are
// BadRequest, and say what to look at.
func ParseCode(typed string) (Code, error) {
	if len(typed) > maxTyped {
		return Code{}, wire.Errorf(wire.BadRequest, "a link code of %d characters", len(typed)).WithNext("type it as the other device shows it")
	}
	parts := strings.FieldsFunc(strings.ToLower(typed), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(parts) < 3 || len(parts) > 4 {
		return Code{}, wire.Errorf(wire.BadRequest, "a link code is eight characters and two words, like k7qm-2fxd-anchor-velvet").
			WithNext("type it as the other device shows it")
	}
	var c Code
	n := len(parts) - len(c.words)
	name := strings.NewReplacer("0", "o", "1", "l", "8", "b").Replace(strings.Join(parts[:n], ""))
	b, err := encoding().DecodeString(name)
	if err != nil || len(b) != MailboxSize {
		return Code{}, wire.Errorf(wire.BadRequest, "%q, the first part of the code, is not eight letters and digits", strings.Join(parts[:n], "-")).
			WithNext("type it as the other device shows it")
	}
	c.Mailbox = Mailbox(b)
	for i, word := range parts[n:] {
		if c.words[i] = wordIndex(word); c.words[i] < 0 {
			return Code{}, unknownWord(word)
		}
	}
	return c, nil
}

func unknownWord(word string) error {
	err := wire.Errorf(wire.BadRequest, "%q is not a word that codes are made of", word)
	if near := nearest(word); near != "" {
		return err.WithNext("did you mean %q?", near)
	}
	return err.WithNext("type it as the other device shows it")
}

// Ticket is a link code for machines: a QR code, or text that is copied. With
// its secret of 128 bits nothing can be guessed.
type Ticket struct {
	Secret [secretSize]byte
	Host   identity.Ticket // the overlay, and where the old device is
}

// Field numbers of a ticket.
const (
	ticketSecret = 1
	ticketHost   = 2
)

const maxHost = 4192 // bytes of an identity.Ticket

func ticketForm() identity.TextForm {
	return identity.TextForm{Name: "link ticket", Prefix: "link:", Limit: maxHost + 64}
}

// NewTicket draws a ticket's secret from random. The host names one node, the
// old device.
func NewTicket(host identity.Ticket, random io.Reader) (Ticket, error) {
	t := Ticket{Host: host}
	if _, err := io.ReadFull(random, t.Secret[:]); err != nil {
		return Ticket{}, wire.Errorf(wire.Internal, "link ticket: no random bytes: %w", err)
	}
	return t, nil
}

// String returns the text: "link:" and base32 with a checksum.
func (t Ticket) String() string {
	var b wire.Builder
	return ticketForm().Format(b.Bytes(ticketSecret, t.Secret[:]).Bytes(ticketHost, t.Host.Bytes()).Build())
}

// ParseTicket reads a ticket's text. Errors are those of identity.ParseTicket.
func ParseTicket(text string) (Ticket, error) {
	b, err := ticketForm().Parse(text)
	if err != nil {
		return Ticket{}, err
	}
	f, err := wire.ParseFields(b)
	if err != nil {
		return Ticket{}, wire.Errorf(wire.CodeOf(err), "link ticket: %w", err)
	}
	secret := f.Bytes(ticketSecret, secretSize)
	host, errHost := identity.TicketFromBytes(f.Bytes(ticketHost, maxHost))
	if err := f.Done(); err != nil {
		return Ticket{}, wire.Errorf(wire.CodeOf(err), "link ticket: %w", err)
	}
	if errHost != nil {
		return Ticket{}, wire.Errorf(wire.CodeOf(errHost), "link ticket: %w", errHost)
	}
	if len(secret) != secretSize || len(host.Peers) != 1 {
		return Ticket{}, wire.Errorf(wire.BadRequest, "link ticket: a secret of %d bytes and %d nodes, expected %d and 1", len(secret), len(host.Peers), secretSize)
	}
	return Ticket{Secret: [secretSize]byte(secret), Host: host}, nil
}

// Offer returns what the ticket says. Its mailbox is derived from the secret.
func (t Ticket) Offer() Offer {
	const domain = "panpipe/link-mailbox/1 "
	sum := sha256.Sum256(append([]byte(domain), t.Secret[:]...))
	return Offer{Mailbox: Mailbox(sum[:MailboxSize]), secret: bytes.Clone(t.Secret[:])}
}
