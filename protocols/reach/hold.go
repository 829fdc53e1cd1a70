package reach

import (
	"strconv"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Hold keeps the connection manager from closing connections to p for being
// the least useful, as long as something depends on them. release ends that;
// it may be called more than once. Holds add up.
func (r *Reach) Hold(p peer.ID) (release func()) {
	manager := r.cfg.Host.ConnManager()
	tag := "panpipe-hold-" + strconv.FormatUint(r.holds.Add(1), 10)
	manager.Protect(p, tag)
	return sync.OnceFunc(func() { manager.Unprotect(p, tag) })
}
