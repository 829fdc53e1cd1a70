package node

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/node/doctor"
)

// quicBuffer is what quic-go asks for.
const quicBuffer = 7 << 20

// Machine finds out what this process has around it: what doctor says where no
// node runs. stateDir is where a node would keep its key and store; nothing is
// made there but a file that is removed at once.
func Machine(stateDir string) doctor.Machine {
	m := doctor.Machine{OS: runtime.GOOS, UDP: udpBuffers(), Files: files(), State: stateOf(stateDir)}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		if os.Getenv(name) != "" {
			m.Proxies = append(m.Proxies, name) // the value may hold a password
		}
	}
	return m
}

// udpBuffers gives a socket the buffers that quic-go wants, by its own means,
// and sees what it gets.
func udpBuffers() (u doctor.UDP) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return u
	}
	defer c.Close()
	// What cannot be set is seen in what there is.
	_, _ = c.SetReadBuffer(quicBuffer), c.SetWriteBuffer(quicBuffer)
	raw, err := c.SyscallConn()
	if err != nil {
		return u
	}
	u.Receive, u.Send = socketBuffers(raw, quicBuffer)
	u.ReceiveMax, u.SendMax = sysctl("net/core/rmem_max"), sysctl("net/core/wmem_max")
	return u
}

// sysctl reads a number of the kernel, 0 where there is none.
func sysctl(name string) int {
	text, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text))) // 0 is what it means not to know
	return n
}

func files() doctor.Files {
	f := doctor.Files{Limit: fileLimit(), Open: -1}
	if open, err := os.ReadDir("/dev/fd"); err == nil && runtime.GOOS != "windows" {
		f.Open = len(open) - 1 // without the one that reads
	}
	return f
}

// stateOf tries the state directory, or where it is not there yet the folder
// in which it would be made.
func stateOf(dir string) doctor.State {
	s := doctor.State{Dir: dir, Examined: true, Free: -1}
	if dir == "" {
		return s
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			s.Missing = true
			continue
		}
		switch {
		case err != nil:
			s.Fault = err.Error()
		case !info.IsDir():
			s.Fault = at + " is not a folder"
		default:
			s.Fault, s.Free = tryWrite(at), diskFree(at)
		}
		return s
	}
}

// tryWrite tells why nothing can be written in a folder, empty if it can.
func tryWrite(dir string) string {
	f, err := os.CreateTemp(dir, ".panpipe-doctor-*")
	if err != nil {
		return err.Error()
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return err.Error()
	}
	return ""
}
