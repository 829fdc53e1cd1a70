// Package node is the composition root: it starts a libp2p host with every
// service of Panpipe on it, and is the Go API for programs that embed a node.
//
//	n, err := node.Start(ctx, node.Config{Join: []string{ticket}})
//	defer n.Close()
//	err = n.Ready(ctx)
//	conn, err := n.DialPipe(ctx, "bafkrei…", pipe.DialOptions{})
//
// Start leaves nothing behind when it fails, and Close returns when everything
// the node started has ended. Several nodes may live in one process.
package node
