package account

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Work of scrypt, as powers of two: about a second and 256 MiB to write; a
// reader goes no farther than four times that, whatever a file asks for.
const (
	workFactor    = 18
	maxWorkFactor = 20
)

// Limits of recovery files and their passphrases.
const (
	MinPassphrase   = 8                    // bytes
	MaxRecoveryFile = 2 * maxRecoveryPlain // bytes: base64, lines, and words around
)

const recoveryWords = "Panpipe recovery file. Whoever has it and its passphrase owns the account.\n" +
	"To use it: panpipe account import FILE\n"

const checksumWord = "sha256 "

// Export writes the recovery file: text that age opens with the passphrase (from its
// BEGIN line on), below a checksum that tells a damaged file from a wrong
// passphrase. BadRequest for a passphrase below MinPassphrase.
func (r Recovery) Export(passphrase string) ([]byte, error) { return r.export(passphrase, workFactor) }

func (r Recovery) export(passphrase string, work int) ([]byte, error) {
	if err := checkPassphrase(passphrase); err != nil {
		return nil, err
	}
	plain, err := r.bytes()
	if err != nil {
		return nil, err
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "recovery file: %w", err)
	}
	recipient.SetWorkFactor(work)
	var body bytes.Buffer
	if err := seal(&body, recipient, plain); err != nil {
		return nil, wire.Errorf(wire.Internal, "recovery file: %w", err)
	}
	return []byte(recoveryWords + checksumWord + checksum(body.Bytes()) + "\n" + body.String()), nil
}

func checkPassphrase(passphrase string) error {
	if len(passphrase) < MinPassphrase {
		return wire.Errorf(wire.BadRequest, "the passphrase has %d characters, at least %d are needed", len(passphrase), MinPassphrase).
			WithNext("take a few random words: whoever guesses it owns the account")
	}
	return nil
}

func seal(to io.Writer, recipient age.Recipient, plain []byte) error {
	text := armor.NewWriter(to)
	w, err := age.Encrypt(text, recipient)
	if err != nil {
		return err
	}
	if _, err := w.Write(plain); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return text.Close()
}

// Import reads a recovery file. Errors: BadRequest where it is none, or is
// damaged; Forbidden for a wrong passphrase; TooLarge; Unsupported for one of a
// newer version.
func Import(file []byte, passphrase string) (Recovery, error) {
	if len(file) > MaxRecoveryFile {
		return Recovery{}, wire.Errorf(wire.TooLarge, "recovery file of %d bytes, at most %d", len(file), MaxRecoveryFile)
	}
	body, checked, err := recoveryBody(file)
	if err != nil {
		return Recovery{}, err
	}
	plain, err := open(body, passphrase)
	if err != nil {
		return Recovery{}, notOpened(err, checked)
	}
	r, err := parseRecovery(plain)
	if err != nil {
		return Recovery{}, wire.Errorf(wire.CodeOf(err), "recovery file: it opens, but what is in it cannot be read: %w", err).
			WithNext("a newer version of Panpipe may have written it")
	}
	return r, nil
}

// recoveryBody returns age's text, and whether a checksum has proven it whole.
func recoveryBody(file []byte) (body []byte, checked bool, err error) {
	head, body, found := bytes.Cut(file, []byte(armor.Header))
	if !found {
		return nil, false, wire.Errorf(wire.BadRequest, "this is not a recovery file: it has no line %q", armor.Header).
			WithNext("choose the file that panpipe account export wrote")
	}
	body = append([]byte(armor.Header), body...)
	whole, _, found := bytes.Cut(body, []byte(armor.Footer))
	if !found {
		return nil, false, damaged("its end is missing")
	}
	body = append(bytes.Clone(whole), armor.Footer...)
	for line := range strings.Lines(string(head)) {
		if sum, ok := strings.CutPrefix(strings.TrimSpace(line), checksumWord); ok {
			if strings.TrimSpace(sum) != checksum(body) {
				return nil, false, damaged("its checksum does not fit")
			}
			checked = true
		}
	}
	return body, checked, nil
}

// checksum is that of all but white space, which mails and editors change.
func checksum(body []byte) string {
	sum := sha256.Sum256(bytes.Join(bytes.Fields(body), nil))
	return hex.EncodeToString(sum[:])
}

func open(body []byte, passphrase string) ([]byte, error) {
	if passphrase == "" {
		return nil, age.ErrIncorrectIdentity
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(body)), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxRecoveryPlain+1))
}

func notOpened(err error, checked bool) error {
	wrong := errors.Is(err, age.ErrIncorrectIdentity)
	switch {
	case wrong && checked:
		return wire.Errorf(wire.Forbidden, "wrong passphrase: the recovery file is whole, but this does not open it").
			WithNext("try again: case and spaces count")
	case wrong:
		return wire.Errorf(wire.Forbidden, "this passphrase does not open the recovery file; either it is wrong, or the file, which has lost its checksum, is damaged").
			WithNext("try again, and use the whole file that panpipe account export wrote")
	}
	return damaged(err.Error())
}

func damaged(why string) error {
	return wire.Errorf(wire.BadRequest, "the recovery file is damaged: %s", why).
		WithNext("use another copy of it; no passphrase opens this one")
}
