package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// KeyFile is the identity key's file in the state directory: an Ed25519 key in
// libp2p's protobuf encoding, readable by its owner alone.
const KeyFile = "identity.key"

// maxKeyFile caps what is read of a key file; the encoding takes 68 bytes.
const maxKeyFile = 4096

// loadKey returns the node's key, which is made when dir has none. An empty
// dir gives a key that is not stored. A key file that cannot be used is
// reported and never overwritten.
func loadKey(dir string) (crypto.PrivKey, error) {
	if dir == "" {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		return key, err
	}
	path := filepath.Join(dir, KeyFile)
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "identity key: %w", err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return nil, wire.Errorf(wire.Forbidden, "identity key %s can be read by others (mode %04o)", path, st.Mode().Perm()).
			WithNext("if nobody has copied it: chmod 600 %s", path)
	}
	if st.Size() > maxKeyFile {
		return nil, badKey(path, errors.New("the file is too large for a key"))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "identity key: %w", err)
	}
	return parseKey(path, raw)
}

// parseKey takes a key only if its two halves belong together.
func parseKey(path string, raw []byte) (crypto.PrivKey, error) {
	key, err := crypto.UnmarshalPrivateKey(raw)
	if err != nil {
		return nil, badKey(path, err)
	}
	pair, err := key.Raw()
	if err != nil || len(pair) != ed25519.PrivateKeySize || key.Type() != crypto.Ed25519 {
		return nil, badKey(path, errors.Join(errors.New("not an Ed25519 key"), err))
	}
	if again, err := crypto.MarshalPrivateKey(key); err != nil || !bytes.Equal(again, raw) ||
		!bytes.Equal(ed25519.NewKeyFromSeed(pair[:ed25519.SeedSize]), pair) {
		return nil, badKey(path, errors.Join(errors.New("its two halves do not belong together"), err))
	}
	return key, nil
}

func badKey(path string, err error) error {
	return wire.Errorf(wire.Internal, "identity key %s is damaged and was left as it is: %w", path, err).
		WithNext("restore it from a backup, or move it away: the node then gets a new identity")
}

// makeKey writes a new key, complete and on the disk before it has its name,
// and never over another.
func makeKey(path string) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := writeNew(path, raw); err != nil {
		return nil, wire.Errorf(wire.Internal, "identity key: %w", err).
			WithNext("check space and permissions of %s", filepath.Dir(path))
	}
	return key, nil
}

// writeNew makes a file that was not there, with mode 0600. A crash leaves
// either the whole file or none of that name.
func writeNew(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike Rename, never replaces
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir puts a folder's entries on the disk. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
