package client

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// DefaultProfile is the profile when none is named.
const DefaultProfile = "default"

// SocketPath is where a node of the given profile makes its socket:
// panpipe/<profile>.sock in the runtime directory of the user's session where
// there is one, else panpipe/<profile>/api.sock in the state directory.
func SocketPath(profile string) (string, error) {
	paths, err := socketPaths(profile)
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

// socketPaths lists where a node's socket may be, best first: a node that was
// started outside the user's session has it at the second place.
func socketPaths(profile string) ([]string, error) {
	if err := CheckProfile(profile); err != nil {
		return nil, err
	}
	state := filepath.Join(xdg.StateHome, "panpipe", profile, "api.sock")
	if info, err := os.Stat(xdg.RuntimeDir); err != nil || !info.IsDir() {
		return []string{state}, nil
	}
	return []string{filepath.Join(xdg.RuntimeDir, "panpipe", profile+".sock"), state}, nil
}

// maxProfile caps the length of a profile's name, in bytes.
const maxProfile = 63

// CheckProfile refuses, as wire.BadRequest, a name that cannot be part of a
// path: 1 to 63 letters, digits, '-' and '_' are allowed.
func CheckProfile(name string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if name == "" || len(name) > maxProfile || strings.ContainsFunc(name, bad) {
		return wire.Errorf(wire.BadRequest, "profile %q is not 1 to %d letters, digits, '-' or '_'", name, maxProfile)
	}
	return nil
}
