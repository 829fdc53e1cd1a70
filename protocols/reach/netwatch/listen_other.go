//go:build !linux

package netwatch

import "context"

// listen is the source of this machine.
func listen(ctx context.Context, noted chan<- note) { poll(ctx, noted) }
