package replica

import (
	"encoding/binary"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// parser takes fields from the front of b. After the first that is missing or
// out of range it is bad, and every further field is zero.
type parser struct {
	b   []byte
	bad bool
}

// uint takes a minimal uvarint of at most limit.
func (p *parser) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(p.b)
	if p.bad || n <= 0 || n > 1 && p.b[n-1] == 0 || v > limit {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return v
}

// take takes n bytes, nil if there are fewer.
func (p *parser) take(n int) []byte {
	if p.bad || n > len(p.b) {
		p.bad = true
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

func (p *parser) uint64() uint64 {
	if b := p.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// author takes uvarint length ‖ device ‖ epoch.
func (p *parser) author() (a Author) {
	raw := p.take(int(p.uint(identity.MaxPrincipal)))
	if p.bad {
		return a
	}
	device, err := identity.PrincipalFromBytes(raw)
	if err != nil || device.Kind() != identity.KindPeer {
		p.bad = true
		return a
	}
	return Author{Device: device, Epoch: p.uint64()}
}

func appendAuthor(b []byte, a Author) []byte {
	device := a.Device.Bytes()
	b = binary.AppendUvarint(b, uint64(len(device)))
	b = append(b, device...)
	return binary.BigEndian.AppendUint64(b, a.Epoch)
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
