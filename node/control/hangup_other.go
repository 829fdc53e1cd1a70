//go:build !linux

package control

import "net"

// waitHangup waits for ended alone: there is no event here that tells a
// program which has died from one that waits.
func waitHangup(_ net.Conn, ended <-chan struct{}) { <-ended }

// hungUp cannot be told here from the end of one half.
func hungUp(net.Conn) bool { return false }
