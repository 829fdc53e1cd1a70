package pipe

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

const (
	// maxReadLogs caps the device logs that are remembered as read, in bytes as
	// they are sent.
	maxReadLogs = 4 << 20
	// logEntryBytes is about what an entry of a log has: reading one that is not
	// remembered costs about as many requests as it has signatures.
	logEntryBytes = 256
)

// readLogs remembers device logs that were read, by their SHA-256: the same one
// comes with every record of an account, from every holder. What was not used
// for longest goes first. Only logs that verify are in it.
type readLogs struct {
	most int // bytes

	mu    sync.Mutex // guards what follows
	bySum map[[sha256.Size]byte]*list.Element
	used  *list.List // of *readLog, last used first
	bytes int
}

type readLog struct {
	sum  [sha256.Size]byte
	log  *identity.DeviceLog
	size int
}

func newReadLogs(most int) *readLogs {
	return &readLogs{most: most, bySum: make(map[[sha256.Size]byte]*list.Element), used: list.New()}
}

// read is identity.ParseLog.
func (r *readLogs) read(b []byte) (*identity.DeviceLog, error) {
	return r.reader(func(int) error { return nil })(b)
}

// reader reads as read does, and has a log that is not remembered paid for, in
// requests, before.
func (r *readLogs) reader(pay func(requests int) error) identity.LogReader {
	return func(b []byte) (*identity.DeviceLog, error) {
		sum := sha256.Sum256(b)
		if l := r.find(sum); l != nil {
			return l, nil
		}
		if len(b) <= identity.MaxDeviceLog { // else it costs nothing
			if err := pay((len(b) + logEntryBytes - 1) / logEntryBytes); err != nil {
				return nil, err
			}
		}
		l, err := identity.ParseLog(b)
		if err == nil {
			r.add(&readLog{sum, l, len(b)})
		}
		return l, err
	}
}

func (r *readLogs) find(sum [sha256.Size]byte) *identity.DeviceLog {
	r.mu.Lock()
	defer r.mu.Unlock()
	el, ok := r.bySum[sum]
	if !ok {
		return nil
	}
	r.used.MoveToFront(el)
	return el.Value.(*readLog).log
}

func (r *readLogs) add(l *readLog) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySum[l.sum] != nil {
		return // two have read it at the same time
	}
	r.bySum[l.sum] = r.used.PushFront(l)
	for r.bytes += l.size; r.bytes > r.most; {
		last := r.used.Remove(r.used.Back()).(*readLog)
		delete(r.bySum, last.sum)
		r.bytes -= last.size
	}
}
