package pipe

import (
	"container/list"
	"sync"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// maxKnownLogs caps the device logs that a node goes by for its own use, in
// bytes as they are sent, beside those of accounts that it keeps.
const maxKnownLogs = 4 << 20

// knownLogs has, of each account that this node has to do with, the device log
// that wins against all others it was shown (identity.Judge).
//
// Those of accounts that own, or are listed by, a pipe that is served here
// stay. Of the others, the one that was of use longest ago is forgotten when
// there are too many.
type knownLogs struct {
	most int // bytes of those that may be forgotten

	mu        sync.Mutex // guards what follows
	byAccount map[identity.Principal]*knownLog
	idle      *list.List // of *knownLog that may be forgotten, last used first
	bytes     int        // of these
}

type knownLog struct {
	account identity.Principal
	log     *identity.DeviceLog // nil while none was shown
	size    int
	kept    int           // by how many reasons it stays
	place   *list.Element // in idle; nil while it stays
}

func newKnownLogs(most int) *knownLogs {
	return &knownLogs{most: most, byAccount: make(map[identity.Principal]*knownLog), idle: list.New()}
}

// keep has the log of an account stay until release is called.
func (k *knownLogs) keep(account identity.Principal) (release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byAccount[account]
	if e == nil {
		e = &knownLog{account: account}
		k.byAccount[account] = e
	}
	if e.kept++; e.place != nil {
		k.leaveIdleLocked(e)
	}
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if e.kept--; e.kept > 0 {
			return
		}
		if e.log == nil {
			delete(k.byAccount, account)
			return
		}
		k.enterIdleLocked(e)
	})
}

// keepAll is keep for the accounts among principals.
func (k *knownLogs) keepAll(principals map[identity.Principal]bool) (release func()) {
	var all []func()
	for p := range principals {
		if p.Kind() == identity.KindAccount {
			all = append(all, k.keep(p))
		}
	}
	return func() {
		for _, release := range all {
			release()
		}
	}
}

// learn judges a verified log, and returns the winner, and whether that is
// another than before. With keptOnly nothing is learned of other accounts than
// those that are kept or known.
func (k *knownLogs) learn(shown *identity.DeviceLog, keptOnly bool) (winner *identity.DeviceLog, changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	account := shown.Account()
	e := k.byAccount[account]
	if e == nil {
		if keptOnly {
			return shown, false
		}
		e = &knownLog{account: account}
		k.byAccount[account] = e
	}
	winner, outcome := identity.Judge(e.log, shown)
	changed = outcome == identity.LogExtends || outcome == identity.LogBeats
	if e.place != nil {
		k.leaveIdleLocked(e)
	}
	if changed {
		e.log, e.size = winner, len(winner.Bytes())
	}
	if e.kept == 0 {
		k.enterIdleLocked(e)
	}
	return winner, changed
}

// of returns the winning log of an account, nil if none is known.
func (k *knownLogs) of(account identity.Principal) *identity.DeviceLog {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byAccount[account]
	if e == nil {
		return nil
	}
	if e.place != nil {
		k.idle.MoveToFront(e.place)
	}
	return e.log
}

// silences reports that whoever speaks for an account is no device of it by
// the log that is known here.
func (k *knownLogs) silences(s speaker) bool {
	return s.log != nil && s.silencedBy(k.of(s.account()))
}

func (k *knownLogs) enterIdleLocked(e *knownLog) {
	e.place = k.idle.PushFront(e)
	for k.bytes += e.size; k.bytes > k.most; {
		last := k.idle.Back().Value.(*knownLog)
		k.leaveIdleLocked(last)
		delete(k.byAccount, last.account)
	}
}

func (k *knownLogs) leaveIdleLocked(e *knownLog) {
	k.idle.Remove(e.place)
	e.place = nil
	k.bytes -= e.size
}
