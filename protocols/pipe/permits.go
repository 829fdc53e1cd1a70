package pipe

import (
	"crypto/sha256"
	"sync"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// maxPermits is how many capabilities a listener remembers to have verified.
const maxPermits = 1024

// permits are the owner's capabilities that dialers have shown, verified, so that
// who dials often costs a signature once. Whether one is in time, whose it is and
// whether it is revoked is judged each time. Only the owner can fill it.
type permits struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]identity.Capability
}

// has reports that an envelope was verified before.
func (p *permits) has(envelope []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.all[sha256.Sum256(envelope)]
	return ok
}

// open is LogReader.OpenCapability, which it remembers of those by owner.
func (p *permits) open(owner identity.Principal, envelope []byte, logs identity.LogReader) (identity.Capability, error) {
	key := sha256.Sum256(envelope)
	p.mu.Lock()
	c, ok := p.all[key]
	p.mu.Unlock()
	if ok {
		return c, nil
	}
	c, err := logs.OpenCapability(envelope)
	if err != nil || c.Issuer != owner {
		return c, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = make(map[[sha256.Size]byte]identity.Capability)
	}
	for other := range p.all {
		if len(p.all) < maxPermits {
			break
		}
		delete(p.all, other)
	}
	c.Proof = nil // its log is what counts from now on
	p.all[key] = c
	return c, nil
}
