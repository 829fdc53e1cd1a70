//go:build figures

package integration

import "testing"

// TestSessionFigures measures people: what is said between buddies and how near
// they are seen, in virtual time; journals on disk, on loopback. PART in the
// environment names the parts to measure, separated by commas; SESSION_PART is
// set for the process of one. A figure that is short of its bound fails the test.
func TestSessionFigures(t *testing.T) {
	benchmark{test: "TestSessionFigures", env: "SESSION_PART", parts: []benchPart{
		{"chat", measureChat},
		{"fresh", measureFresh},
		{"crowd", measureBuddies},
		{"messages", measureMessages},
		{"history", measureHistory},
	}}.run(t)
}
