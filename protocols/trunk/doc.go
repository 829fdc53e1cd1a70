// Package trunk carries the frames of many legs on few libp2p streams.
//
//	/<overlay>/trunk/1
package trunk
