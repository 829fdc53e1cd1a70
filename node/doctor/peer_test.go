package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPeersAreJudged(t *testing.T) {
	direct := Path{Addr: "/ip4/1.2.3.4/udp/1/quic-v1", Transport: "quic-v1", Direct: true, RTT: 20 * time.Millisecond}
	relayed := Path{Addr: "/p2p-circuit", Transport: "relay", RTT: time.Millisecond, Circuit: &Circuit{Relay: "R", MaxTime: time.Hour, LeftTime: time.Minute}}
	dead := Path{Addr: "/ip4/1.2.3.4/tcp/1", Transport: "tcp", Direct: true, Fault: "no answer within 3s"}
	lan := []KnownAddr{{Addr: "/ip4/192.168.1.5/tcp/1", Kind: AddrPrivate}}
	wan := []KnownAddr{{Addr: "/ip4/1.2.3.4/tcp/1", Kind: AddrPublic}}
	silent := []Try{{Code: "timeout"}, {Code: "unreachable", Took: 9 * time.Second}}
	for _, tc := range []struct {
		name      string
		f         PeerFacts
		change    func(n *Node)
		connected bool
		problem   string
		says      string // in summary, detail or next
	}{
		{"self", PeerFacts{Self: true}, nil, true, "", "the node itself"},
		{"direct", PeerFacts{Paths: []Path{direct}, Identified: true, InOverlay: true}, nil, true, "", "directly over quic-v1, 20ms"},
		{"direct, not identified", PeerFacts{Paths: []Path{direct}}, nil, true, "", "directly"},
		{"the path that answers counts", PeerFacts{Paths: []Path{dead, direct}}, nil, true, "", "directly over quic-v1"},
		{"dead", PeerFacts{Paths: []Path{dead}}, nil, true, "timeout", "no answer within 3s"},
		{"elsewhere", PeerFacts{Paths: []Path{direct}, Identified: true, Overlays: []string{"other"}}, nil, true, "unsupported", `"other"`},
		{"not over the transport wanted", PeerFacts{Paths: []Path{direct}, Failure: "timeout", Words: "no answer over ws"}, nil, true, "timeout", "no answer over ws"},
		{"relayed", PeerFacts{Paths: []Path{relayed}}, nil, true, "", "1m0s left of 1h0m0s"},
		{"relayed, we are reachable", PeerFacts{Paths: []Path{relayed}}, nil, true, "", "the other side cannot be dialled"},
		{"relayed behind NAT", PeerFacts{Paths: []Path{relayed}}, func(n *Node) { n.Reachability = private }, true, "", "both sides"},
		{"relayed behind two NATs", PeerFacts{Paths: []Path{relayed}}, func(n *Node) { n.Reachability, n.NAT.Double = private, true }, true, "", "two NATs"},
		{"relayed, two NATs, we are reachable", PeerFacts{Paths: []Path{relayed}}, func(n *Node) { n.NAT.Double = true }, true, "", "the other side cannot be dialled"},
		{"relayed, no punching here", PeerFacts{Paths: []Path{relayed}, Punching: &Punching{There: true}}, nil, true, "", "this node knows no public address"},
		{"relayed, no punching there", PeerFacts{Paths: []Path{relayed}, Punching: &Punching{Here: true}}, nil, true, "", "the far side does not do it"},
		{"relayed, punching failed", PeerFacts{Paths: []Path{relayed}, Punching: &Punching{true, true, "no sync", time.Minute}}, nil, true, "", "failed 1m0s ago: no sync"},
		{"relayed, both punch", PeerFacts{Paths: []Path{relayed}, Punching: &Punching{Here: true, There: true}}, nil, true, "", "none is known to have failed"},
		{"direct wanted", PeerFacts{Paths: []Path{relayed}, Failure: "timeout", Punching: &Punching{Here: true}}, nil, true, "timeout", "the far side does not do it"},
		{"refused", PeerFacts{Addrs: wan, Tries: []Try{{Code: "unreachable"}}, Failure: "unreachable", Words: "cannot reach", Advice: "see"}, nil, false, "unreachable", "cannot reach"},
		{"silent", PeerFacts{Addrs: wan, Tries: silent, Failure: "timeout", Words: "no answer"}, nil, false, "timeout", "firewall or NAT"},
		{"silent in its LAN", PeerFacts{Addrs: lan, Tries: silent, Failure: "timeout", Words: "no answer"}, nil, false, "timeout", "inside its own network"},
		{"seen elsewhere", PeerFacts{Addrs: wan, Overlays: []string{"other"}, Failure: "unreachable"}, nil, false, "unreachable", `"other"`},
		{"unknown", PeerFacts{ID: "P", Asked: 7, Failure: "unreachable"}, nil, false, "unknown", "7 nodes asked"},
		{"not joined", PeerFacts{Failure: "unreachable"}, func(n *Node) { n.Servers = 0 }, false, "not-ready", "not joined"},
		{"alone", PeerFacts{Failure: "unreachable"}, func(n *Node) { n.Servers, n.Alone = 0, true }, false, "unknown", "0 nodes asked"},
		{"no word at all", PeerFacts{Addrs: wan}, nil, false, "unreachable", "no path"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := tc.f
			f.Here = *healthy().Node
			if tc.change != nil {
				tc.change(&f.Here)
			}
			v := ExplainPeer(f)
			if v.Connected != tc.connected || v.Problem != tc.problem || !strings.Contains(v.Summary+"\n"+v.Detail+"\n"+v.Next, tc.says) {
				t.Errorf("%+v", v)
			}
			if v.Summary == "" || v.Problem != "" && v.Detail == "" && f.Words != "" {
				t.Errorf("no words in %+v", v)
			}
		})
	}
}

func TestTextOfPeersIsSafeToPrint(t *testing.T) {
	for in, want := range map[string]string{"panpipe 1.2": "panpipe 1.2", "\x1b[31mred\r\n": "[31mred", "a\xffb\u202e": "ab", strings.Repeat("é", 100): strings.Repeat("é", 62) + "…"} {
		if got := Plain(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestPeerExplanationNamesThisSidesNAT(t *testing.T) {
	f := PeerFacts{Failure: "timeout", Here: *healthy().Node}
	f.Here.NAT = NAT{Router: true, Double: true, Mapped: mapped("10.0.0.2:1"), Public: seen("198.51.100.7")}
	f.Here.Clock.Ahead = time.Hour
	v := ExplainPeer(f)
	for _, want := range []Code{DoubleNAT, Reachability, Clock} {
		if !slices.ContainsFunc(v.Here, func(f Finding) bool { return f.Code == want }) {
			t.Errorf("nothing of %s in %+v", want, v.Here)
		}
	}
	f = PeerFacts{Here: *healthy().Node}
	if v := ExplainPeer(f); slices.ContainsFunc(v.Here, func(f Finding) bool { return f.Code == Clock }) {
		t.Errorf("a right clock is told of: %+v", v.Here)
	}
}
