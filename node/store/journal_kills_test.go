//go:build !full

package store

// journalKills is how often the journal's process is killed.
const journalKills = 50
