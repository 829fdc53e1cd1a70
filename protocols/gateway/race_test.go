//go:build race

package gateway

// underRace tells tests of memory that the detector's own is in it.
const underRace = true
