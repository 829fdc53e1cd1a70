// Package lab builds networks out of Linux network namespaces for tests of real
// processes: an internet with public addresses, routers that translate
// addresses, hosts behind them, firewalls, and a router daemon that maps ports.
// It needs root, iproute2, nftables and, for [Router.MapPorts], miniupnpd. It is
// behind the build tag "full".
//
//	l := lab.New(t)
//	internet := l.Internet()
//	server := internet.Host("server", "23.10.1.1")
//	home := internet.Router("home", "24.20.1.1", lab.Masquerade, "192.168.1.1/24")
//	laptop := home.Host("laptop") // 192.168.1.2
//	cmd := laptop.Command(ctx, "panpipe", "up")
//
// Each machine is a namespace named pp-<process>-<lab>-<machine>, so that tests
// may run beside each other. All of it goes away when the test ends; what a
// killed test binary has left goes away when the next one makes a lab.
//
// Nothing here is connected to the machine's own network. The addresses of the
// internet are ones that look public, so that programs treat them as such. There
// is no IPv6 unless a test asks for it.
package lab
