package doctor

import (
	"fmt"
	"strings"
	"time"
)

const (
	wantedBuffer = 7 << 20 // quic-go's, as the kernel accounts it
	advisedSetup = 7500000 // for sysctl, as quic-go advises

	spareFiles = 64 // descriptors beside those of connections

	scarceDisk = 100 << 20
	noDisk     = 10 << 20

	recently = 10 * time.Minute
)

// udpBuffers judges what QUIC's sockets get.
func udpBuffers(m Machine) []Finding {
	u := m.UDP
	if u.Receive == 0 || u.Send == 0 {
		return nil
	}
	told := fmt.Sprintf("receive %s, send %s, wanted %s", size(int64(u.Receive)), size(int64(u.Send)), size(wantedBuffer))
	if u.Receive >= wantedBuffer && u.Send >= wantedBuffer {
		return one(UDPBuffers, OK, "QUIC gets the socket buffers that it wants", told, "")
	}
	next := "raise the limit of socket buffers of the operating system to 7.5 MB"
	switch m.OS {
	case "linux":
		next = fmt.Sprintf("sysctl -w net.core.rmem_max=%d net.core.wmem_max=%d, and the same in /etc/sysctl.d to keep it", advisedSetup, advisedSetup)
		if u.ReceiveMax > 0 {
			told += fmt.Sprintf("; net.core.rmem_max is %d, wmem_max %d", u.ReceiveMax, u.SendMax)
		}
	case "darwin", "freebsd":
		next = fmt.Sprintf("sysctl -w kern.ipc.maxsockbuf=%d", 2*advisedSetup)
	}
	return one(UDPBuffers, Warning, "QUIC's socket buffers are small: packets are lost when much data comes at once", told, next)
}

// proxies tells that proxies of the environment are not used, which matters
// most where nothing connects.
func proxies(m Machine, n *Node) []Finding {
	if len(m.Proxies) == 0 {
		return one(Proxy, OK, "no proxy is set in the environment"+whose(n), "", "")
	}
	severity := Note
	if n != nil && n.Servers == 0 && !n.Alone {
		severity = Warning
	}
	return one(Proxy, severity, "a proxy is set in the environment"+whose(n)+", and is not used: connections are made directly", strings.Join(m.Proxies, ", "),
		"the firewall must let TCP and UDP out to the other nodes; a node that listens on a port the firewall allows (443) helps")
}

// whose says whose environment was looked at: that of the node or, where none
// runs, of the program that looks.
func whose(n *Node) string {
	if n == nil {
		return " of this shell"
	}
	return ""
}

// usualConnections is limits.connections where nothing sets it.
const usualConnections = 512

// filesToCome tells of the limit where no node runs: it is that of the program
// that looks, and only a node started in the same way gets the same.
func filesToCome(f Files, next string) []Finding {
	severity := OK
	if f.Limit < usualConnections+spareFiles {
		severity = Note
	} else {
		next = ""
	}
	return one(OpenFiles, severity, fmt.Sprintf("a node started from this shell may open %d files; one that something else starts has a limit of its own", f.Limit),
		"the limit of this program was read, not that of a node", next)
}

// openFiles judges the limit of file descriptors.
func openFiles(m Machine, n *Node) []Finding {
	f := m.Files
	if f.Limit == 0 {
		return nil
	}
	const next = "raise it: ulimit -n, or LimitNOFILE= in the unit of systemd; or lower limits.connections"
	if n == nil {
		return filesToCome(f, next)
	}
	told := fmt.Sprintf("limit %d", f.Limit)
	if f.Open >= 0 {
		told += fmt.Sprintf(", open %d", f.Open)
	}
	want := n.MaxConnections + spareFiles
	told += fmt.Sprintf(", connections allowed %d", n.MaxConnections)
	switch {
	case f.Open >= 0 && uint64(f.Open) >= f.Limit-f.Limit/20:
		return one(OpenFiles, Problem, "file descriptors run out: new connections fail", told, next)
	case f.Open >= 0 && uint64(f.Open) >= f.Limit-f.Limit/5:
		return one(OpenFiles, Warning, "few file descriptors are left", told, next)
	case f.Limit < uint64(want):
		return one(OpenFiles, Note, "the limit of file descriptors is below that of connections: it is met first", told, next)
	}
	return one(OpenFiles, OK, "file descriptors suffice", told, "")
}

// stateDir judges where key and store live.
func stateDir(s State) []Finding {
	switch {
	case !s.Examined:
		return nil
	case s.Dir == "":
		return one(StateDir, Note, "key and store live in memory: the node has another identity after a restart", "no state directory is configured", "set state_dir to keep them")
	case s.Fault != "":
		return one(StateDir, Problem, "nothing can be written in the state directory "+s.Dir, s.Fault, "correct owner and mode, or choose another with state_dir")
	case s.Free >= 0 && s.Free < noDisk:
		return one(StateDir, Problem, "the disk of the state directory "+s.Dir+" is full", size(s.Free)+" free", "make room: bindings cannot be renewed without it")
	case s.Free >= 0 && s.Free < scarceDisk:
		return one(StateDir, Warning, "little room is left on the disk of the state directory "+s.Dir, size(s.Free)+" free", "make room")
	}
	cause := ""
	if s.Free >= 0 {
		cause = size(s.Free) + " free"
	}
	if s.Missing {
		return one(StateDir, OK, "the state directory "+s.Dir+" is not there yet, and can be made", cause, "")
	}
	return one(StateDir, OK, "the state directory "+s.Dir+" can be written", cause, "")
}

// refusals tells of each limit that was hit since the start.
func refusals(n Node) []Finding {
	if len(n.Refusals) == 0 {
		return one(LimitsFree, OK, "no limit was hit since the start", "panpipe limits lists them", "")
	}
	var all []Finding
	for _, r := range n.Refusals {
		severity, ago := Note, n.Now.Sub(r.Last)
		if ago < recently {
			severity = Warning
		}
		next := "it is fixed; if honest use meets it, that is a fault worth a report"
		if r.Setting != "" {
			next = "if that was honest use, raise " + r.Setting
		}
		times := fmt.Sprintf("%d times", r.Count)
		if r.Count == 1 {
			times = "once"
		}
		all = append(all, one(LimitHit, severity, "limit reached: "+r.Limit, fmt.Sprintf("%s since the start, last %s ago", times, span(ago)), next)...)
	}
	return all
}
