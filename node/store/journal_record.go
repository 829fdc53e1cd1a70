package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/panpipe-net/panpipe/session/replica"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal is the record of an entry with its checksum.
func seal(e *replica.Entry) []byte {
	b := e.AppendRecord(make([]byte, 0, len(e.Body)+40))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unseal reads what seal made.
func (s *Store) unseal(key replica.Key, counter uint64, b []byte) (e replica.Entry, err error) {
	n := len(b) - 4
	if n < 0 || crc32.Checksum(b[:n], castagnoli) != binary.BigEndian.Uint32(b[n:]) {
		return e, s.damaged(errors.New("the checksum of a message is wrong"))
	}
	e.Key, e.Counter = key, counter
	if err := e.ParseRecord(b[:n]); err != nil {
		return e, s.damaged(err)
	}
	return e, nil
}
