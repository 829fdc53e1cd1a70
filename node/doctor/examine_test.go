package doctor

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// healthy is a node with nothing to complain of, on a machine of that kind.
func healthy() Facts {
	return Facts{
		Machine: Machine{
			OS: "linux", UDP: UDP{Receive: 14 << 20, Send: 14 << 20, ReceiveMax: 7500000, SendMax: 7500000},
			Files: Files{Limit: 20000, Open: 30}, State: State{Dir: "/s", Examined: true, Free: 1 << 40},
		},
		Node: &Node{
			Now: now, Started: now.Add(-24 * time.Hour), Overlay: "panpipe", Role: "server", Reachability: "public", MapPorts: true,
			Addrs: []string{"/ip4/198.51.100.7/tcp/4001"}, UsesRelays: true,
			Clock: ClockSample{Ahead: time.Second, Nodes: 9}, MaxConnections: 512, Peers: 12, Servers: 10, LastServer: now,
			Table: Table{Size: 10, Refreshed: now.Add(-time.Minute), Period: 10 * time.Minute}, Survey: Survey{Asked: 10, Answered: 10},
			Bindings: []Bound{{Pipe: "p", Holders: 11, Age: time.Minute}},
		},
	}
}

func TestAHealthyNodeHasNothingToComplainOf(t *testing.T) {
	all := Examine(healthy())
	if Worst(all) != OK || len(all) < 12 {
		t.Errorf("%+v", all)
	}
	for _, f := range all {
		if f.Next != "" {
			t.Errorf("%s is in order, and yet %q is to be done", f.Code, f.Next)
		}
	}
}

// change is one thing that is wrong with a healthy node, and what is said of
// it.
type change struct {
	name     string
	do       func(f *Facts)
	code     Code
	severity Severity
	says     string // in summary, cause or next
}

func behind(f *Facts) {
	f.Node.Reachability, f.Node.Addrs = private, []string{"/ip4/192.168.1.2/tcp/4001"}
}

var changes = []change{
	{"no addresses", func(f *Facts) { f.Node.Addrs = nil }, Listen, Problem, "interfaces"},
	{"dial only", func(f *Facts) { f.Node.Addrs, f.Node.NoListen = nil, true }, Listen, Note, "only dials"},
	{"loopback", func(f *Facts) { f.Node.Addrs = []string{"/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"} }, Listen, Note, "loopback alone"},
	{"circuits alone", func(f *Facts) { f.Node.Addrs = []string{"/ip4/1.1.1.1/tcp/1/p2p/x/p2p-circuit"} }, Listen, Warning, "relays alone"},

	{"private", behind, Reachability, Warning, "relay.serve"},
	{"private with relay", func(f *Facts) { behind(f); f.Node.Relays = []string{"r"} }, Reachability, Note, "through relays"},
	{"private, forwarded, yet shut", func(f *Facts) {
		behind(f)
		f.Node.NAT = NAT{Router: true, Mapped: mapped("198.51.100.7:4001"), Public: seen("198.51.100.7")}
	}, Reachability, Warning, "firewall on this machine"},
	{"unknown", func(f *Facts) { f.Node.Reachability = "unknown" }, Reachability, Note, "IPv6"},
	{"local", func(f *Facts) { f.Node.Reachability = local }, Reachability, OK, "LAN"},
	{"seen as", func(f *Facts) { f.Node.NAT.Public = seen("198.51.100.7") }, Reachability, OK, "198.51.100.7"},

	{"forwarded", func(f *Facts) { f.Node.NAT = NAT{Router: true, Mapped: mapped("198.51.100.7:4001")} }, PortMapping, OK, "198.51.100.7:4001"},
	{"not asked to forward", func(f *Facts) { behind(f); f.Node.MapPorts = false }, PortMapping, Note, "port_mapping"},
	{"router refuses", func(f *Facts) { behind(f); f.Node.NAT.Router = true }, PortMapping, Warning, "forwards no port"},
	{"no router", behind, PortMapping, Warning, "CGNAT"},
	{"double NAT", func(f *Facts) {
		behind(f)
		f.Node.NAT = NAT{Router: true, Double: true, Mapped: mapped("10.0.0.2:4001"), Public: seen("198.51.100.7")}
	}, DoubleNAT, Warning, "the router forwards 10.0.0.2:4001, others see 198.51.100.7"},

	{"double NAT, yet public", func(f *Facts) {
		f.Node.NAT = NAT{Router: true, Double: true, Mapped: mapped("10.0.0.2:4001"), Public: seen("198.51.100.7")}
	}, DoubleNAT, Note, "all the same"},

	{"no relay", behind, RelayUse, Warning, "no relay has a place"},
	{"relays off", func(f *Facts) { behind(f); f.Node.UsesRelays = false }, RelayUse, Note, "transports"},
	{"reached through relays", func(f *Facts) { f.Node.Relays = []string{"r1", "r2"} }, RelayUse, OK, "2 relays: r1, r2"},
	{"circuit", func(f *Facts) {
		f.Node.Circuits = []Circuit{{Peer: "p", Relay: "r", MaxTime: time.Hour, LeftTime: 50 * time.Minute, MaxData: 1 << 30, LeftData: 1 << 29}}
	}, RelayLimit, Note, "50m0s left of 1h0m0s, 512.0 MiB left of 1.0 GiB"},
	{"circuit without limits", func(f *Facts) { f.Node.Circuits = []Circuit{{Peer: "p", Relay: "r"}} }, RelayLimit, Note, "no limit"},
	{"circuit near its time", func(f *Facts) {
		f.Node.Circuits = []Circuit{{Peer: "p", Relay: "r", MaxTime: time.Hour, LeftTime: time.Minute, LeftData: -1}}
	}, RelayLimit, Warning, "relay.max_duration"},
	{"circuit near its data", func(f *Facts) {
		f.Node.Circuits = []Circuit{{Peer: "p", Relay: "r", MaxData: 128 << 10, LeftData: 1000}}
	}, RelayLimit, Warning, "1000 bytes left of 128.0 KiB"},
	{"circuit whose data is not counted", func(f *Facts) {
		f.Node.Circuits = []Circuit{{Peer: "p", Relay: "r", MaxData: 128 << 10, LeftData: -1}}
	}, RelayLimit, Note, "at most 128.0 KiB"},

	{"few clocks", func(f *Facts) { f.Node.Clock = ClockSample{Ahead: time.Hour, Nodes: 2} }, Clock, Note, "too few"},
	{"a minute off", func(f *Facts) { f.Node.Clock.Ahead = -61 * time.Second }, Clock, Warning, "1m1s behind"},
	{"exactly a minute", func(f *Facts) { f.Node.Clock.Ahead = time.Minute }, Clock, OK, "agrees"},
	{"ten minutes off", func(f *Facts) { f.Node.Clock.Ahead = 601 * time.Second }, Clock, Problem, "refused"},

	{"small buffers", func(f *Facts) { f.Machine.UDP = UDP{425984, 425984, 212992, 212992} }, UDPBuffers, Warning, "sysctl -w net.core.rmem_max=7500000"},
	{"small send buffer", func(f *Facts) { f.Machine.UDP.Send = 1 << 20 }, UDPBuffers, Warning, "send 1.0 MiB"},
	{"small buffers of a Mac", func(f *Facts) { f.Machine.OS = "darwin"; f.Machine.UDP.Receive = 1 << 20 }, UDPBuffers, Warning, "maxsockbuf"},
	{"proxy", func(f *Facts) { f.Machine.Proxies = []string{"HTTPS_PROXY"} }, Proxy, Note, "HTTPS_PROXY"},
	{"proxy and nobody", func(f *Facts) { f.Machine.Proxies = []string{"ALL_PROXY"}; f.Node.Servers = 0 }, Proxy, Warning, "443"},
	{"few files", func(f *Facts) { f.Machine.Files.Limit = 256 }, OpenFiles, Note, "LimitNOFILE"},
	{"files near the end", func(f *Facts) { f.Machine.Files = Files{1000, 850} }, OpenFiles, Warning, "few"},
	{"files at the end", func(f *Facts) { f.Machine.Files = Files{1000, 990} }, OpenFiles, Problem, "new connections fail"},
	{"read-only state", func(f *Facts) { f.Machine.State.Fault = "permission denied" }, StateDir, Problem, "permission denied"},
	{"full disk", func(f *Facts) { f.Machine.State.Free = 1 << 20 }, StateDir, Problem, "1.0 MiB free"},
	{"nearly full disk", func(f *Facts) { f.Machine.State.Free = 50 << 20 }, StateDir, Warning, "50.0 MiB free"},
	{"in memory", func(f *Facts) { f.Machine.State = State{Examined: true, Free: -1} }, StateDir, Note, "another identity"},
	{"state to be made", func(f *Facts) { f.Machine.State.Missing = true }, StateDir, OK, "can be made"},

	{"alone", func(f *Facts) { alone(f); f.Node.Alone = true }, Peers, Note, "an overlay of its own"},
	{"nobody", alone, Peers, Problem, "no node is connected"},
	{"all lost", func(f *Facts) { f.Node.Servers, f.Node.LastServer = 0, now.Add(-time.Hour) }, Peers, Problem, "1h0m0s ago"},
	{"strangers alone", func(f *Facts) { alone(f); f.Node.Peers = 1 }, Peers, Problem, `1 node connected, and none serves the overlay "panpipe"`},
	{"few servers", func(f *Facts) { f.Node.Servers = 1 }, Peers, Note, "few holders"},
	{"join failed", func(f *Facts) { f.Node.Joins = []JoinFailure{{Addr: "/ip4/1.2.3.4", Error: "refused"}} }, Join, Warning, "refused"},
	{"join failed, with advice", func(f *Facts) { f.Node.Joins = []JoinFailure{{"/ip4/1.2.3.4", "another", "take its ticket"}} }, Join, Warning, "take its ticket"},
	{"join failed, and nobody", func(f *Facts) { alone(f); f.Node.Joins = []JoinFailure{{Addr: "/ip4/1.2.3.4", Error: "refused"}} }, Join, Problem, "1.2.3.4"},
	{"server in hiding", func(f *Facts) { behind(f); f.Node.RoleForced = true }, Role, Warning, "lose time"},
	{"client in the open", func(f *Facts) { f.Node.Role, f.Node.RoleForced = "client", true }, Role, Note, "could serve"},
	{"client", func(f *Facts) { f.Node.Role = "client" }, Role, OK, "holds nothing"},
	{"empty table", func(f *Facts) { f.Node.Table = Table{} }, RoutingTable, Note, "empty"},
	{"stale table", func(f *Facts) { f.Node.Table.Refreshed = now.Add(-time.Hour) }, RoutingTable, Warning, "not been refreshed"},
	{"just started", func(f *Facts) { f.Node.Table.Refreshed, f.Node.Started = time.Time{}, now }, RoutingTable, OK, ""},
	{"silence", func(f *Facts) { f.Node.Survey = Survey{Asked: 3, Cause: "timeout"} }, OverlayAnswers, Problem, "0 of 3"},
	{"half silence", func(f *Facts) { f.Node.Survey = Survey{Asked: 9, Answered: 4, Cause: "timeout"} }, OverlayAnswers, Warning, "4 of 9"},
	{"rules in order", func(f *Facts) { f.Node.Gateway = []Rule{{Clients: 2}, {Clients: 1}} }, GatewayRule, OK, "2 rules"},
	{"address in use", func(f *Facts) {
		f.Node.Gateway = []Rule{{ID: "r", Does: "forward :80 to x", Down: "in use", Waits: true, Next: "stop it"}}
	}, GatewayRule, Warning, "stop it"},
	{"rule that failed", func(f *Facts) { f.Node.Gateway = []Rule{{ID: "r", Down: "another binder has the pipe"}} }, GatewayRule, Problem, "gateway rm r"},
	{"service that is off", func(f *Facts) { f.Node.Gateway = []Rule{{ID: "r", Expose: true, Mute: "refused"}} }, GatewayTarget, Problem, "start the service"},
	{"forward into the void", func(f *Facts) { f.Node.Gateway = []Rule{{ID: "r", Mute: "unbound"}} }, GatewayPipe, Warning, "leads nowhere"},
	{"no holder", func(f *Facts) { f.Node.Bindings[0].Holders = 0 }, Binding, Problem, "hardly anybody"},
	{"two holders", func(f *Facts) { f.Node.Bindings[0] = Bound{"p", 2, time.Hour} }, Binding, Problem, "2 nodes of 5"},
	{"two holders so far", func(f *Facts) { f.Node.Bindings[0] = Bound{"p", 2, time.Second} }, Binding, Warning, "few holders"},
	{"four holders", func(f *Facts) { f.Node.Bindings[0].Holders = 4 }, Binding, Warning, "4 nodes of 5"},
	{"all of a small overlay", func(f *Facts) { f.Node.Servers, f.Node.Bindings[0].Holders = 1, 2 }, Binding, OK, "2 nodes"},
	{"another overlay", func(f *Facts) { f.Node.Foreign = []Foreign{{"/other/pipe-binding/1", "other", 1}} }, OtherOverlay, Note, `"other"`},
	{"another overlay alone", func(f *Facts) { alone(f); f.Node.Foreign = []Foreign{{"/other/pipe-binding/1", "other", 2}} }, OtherOverlay, Warning, "2 connected nodes"},
	{"another version", func(f *Facts) { f.Node.Foreign = []Foreign{{"/panpipe/pipe-binding/9", "panpipe", 1}} }, OtherVersion, Warning, "release"},
	{"limit just hit", func(f *Facts) { f.Node.Refusals = []Refusal{{"streams", "limits.streams", 3, now}} }, LimitHit, Warning, "raise limits.streams"},
	{"limit hit once", func(f *Facts) { f.Node.Refusals = []Refusal{{"streams", "", 1, now.Add(-time.Hour)}} }, LimitHit, Note, "once since the start, last 1h0m0s ago"},

	{"no node", func(f *Facts) { f.Node, f.Profile = nil, "work" }, NodeNotRunning, Problem, "panpipe up --profile work"},
	{"no node, wrong configuration", func(f *Facts) { f.Node, f.ConfigError = nil, "unknown key" }, ConfigWrong, Problem, "unknown key"},
	{"no node, the shell's files", func(f *Facts) { f.Node = nil }, OpenFiles, OK, "not that of a node"},
	{"no node, few files", func(f *Facts) { f.Node, f.Machine.Files.Limit = nil, 256 }, OpenFiles, Note, "LimitNOFILE"},
	{"no node, a proxy", func(f *Facts) { f.Node, f.Machine.Proxies = nil, []string{"ALL_PROXY"} }, Proxy, Note, "of this shell"},
	{"no limits", func(*Facts) {}, LimitsFree, OK, ""},
}

func alone(f *Facts) {
	f.Node.Servers, f.Node.Peers, f.Node.LastServer, f.Node.Table, f.Node.Survey, f.Node.Bindings = 0, 0, time.Time{}, Table{}, Survey{}, nil
}

func mapped(text string) []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort(text)} }
func seen(text string) []netip.Addr       { return []netip.Addr{netip.MustParseAddr(text)} }

func TestEachFaultIsFoundAndNamed(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.do(&f)
			all := Examine(f)
			i := slices.IndexFunc(all, func(f Finding) bool { return f.Code == c.code })
			if i < 0 {
				t.Fatalf("nothing of %s in %+v", c.code, all)
			}
			got := all[i]
			if got.Severity != c.severity || !strings.Contains(got.Summary+"\n"+got.Cause+"\n"+got.Next, c.says) {
				t.Errorf("%+v", got)
			}
			if (got.Severity == Warning || got.Severity == Problem) && got.Next == "" {
				t.Errorf("%+v does not say what to do", got)
			}
			if !slices.IsSortedFunc(all, func(a, b Finding) int {
				return slices.Index(Severities(), a.Severity) - slices.Index(Severities(), b.Severity)
			}) {
				t.Error("the worst does not come first")
			}
		})
	}
}

// TestNothingKnownIsNoFault: where the system does not tell, nothing is said.
func TestNothingKnownIsNoFault(t *testing.T) {
	f := healthy()
	f.Machine = Machine{OS: "windows", Files: Files{Open: -1}, State: State{Free: -1}}
	for _, x := range Examine(f) {
		if slices.Contains([]Code{UDPBuffers, OpenFiles, StateDir}, x.Code) {
			t.Errorf("%+v", x)
		}
	}
}

// TestCodesAreTabled holds the table of the package comment, the list of
// codes, and the codes that the tests meet against each other.
func TestCodesAreTabled(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var tabled []Code
	severities := map[Code]string{}
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z-]+) +((?:ok|note|warning|problem)[a-z|]*)  `).FindAllStringSubmatch(string(source), -1) {
		tabled = append(tabled, Code(m[1]))
		severities[Code(m[1])] = m[2]
	}
	if !slices.Equal(tabled, Codes()) {
		t.Errorf("the comment tables\n%q\nthe codes are\n%q", tabled, Codes())
	}
	met := map[Code]bool{}
	for _, c := range changes {
		met[c.code] = true
		if !slices.Contains(strings.Split(severities[c.code], "|"), string(c.severity)) {
			t.Errorf("%s comes as %s, which the table does not say", c.code, c.severity)
		}
	}
	for _, c := range Codes() {
		if !met[c] {
			t.Errorf("no test meets %s", c)
		}
	}
}
