// Package hostile attacks nodes, in virtual time: its tests are a peer that
// speaks the wire by hand and lies in every field, as an asker and as one that
// is asked. Each asserts that the attacked node neither crashes nor hangs nor
// grows, and that true bindings still resolve after it.
//
// Lie makes a node of a world a liar, for tests elsewhere.
package hostile
