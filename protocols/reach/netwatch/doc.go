// Package netwatch notices at once what makes connections dead without a word:
// the machine slept, or its addresses changed. It knows nothing of libp2p;
// reach acts on what it tells.
//
// # Sleep
//
// A ticker reads the wall clock and the monotonic clock once a second. Where the
// monotonic clock stands still while the machine sleeps (Linux, macOS), the wall
// clock has gone ahead of it when the machine wakes; where it goes on (Windows),
// and where the process alone was stopped, the tick comes late. Either way the
// larger of the two steps is longer than a tick, and 5 s beyond it are sleep. A
// wall clock that somebody sets forward looks the same; that costs a probe of
// each path, no more.
//
// # Addresses
//
// On Linux the kernel tells of links, addresses and routes (rtnetlink(7), the
// groups link, ipv4-ifaddr, ipv6-ifaddr, ipv4-route, ipv6-route), which needs
// no privilege. Elsewhere, and where the kernel's socket is not to be had (some
// sandboxes), the interfaces are read every 5 s. What comes in a burst is
// told once: when 100 ms have passed without more of it, or 1 s in all. A change
// is told if
//
//   - an address came or went, those of loopback and of the link alone
//     (169.254.0.0/16, fe80::/10) excepted, or
//   - an interface that has such an address went down or up, be it that it has
//     come back meanwhile: another network may have given the same address, or
//   - a default route came, went or became another.
//
// So the comings and goings of containers' interfaces, and router
// advertisements that say what is known, are no change.
package netwatch
