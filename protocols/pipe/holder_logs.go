package pipe

import (
	"github.com/panpipe-net/panpipe/protocols/identity"
)

// heldLog is the device log that wins of all that the records of an account
// have shown. One of them bears it.
type heldLog struct {
	log     *identity.DeviceLog
	bearer  *entry
	entries map[*entry]struct{} // all that devices of the account stand for
}

// logOf returns the winning log of an account, nil if none is held.
func (h *Holder) logOf(account identity.Principal) *identity.DeviceLog {
	if held := h.logs[account]; held != nil {
		return held.log
	}
	return nil
}

// judgeLog gives an entry the log that wins of what is held and what it shows:
// it may have to bear it in another's place. It is Forbidden, with that log, if
// the entry's device has been revoked.
func (h *Holder) judgeLog(e *entry) (standing []byte, err error) {
	winner, _ := identity.Judge(h.logOf(e.account()), e.log)
	if e.silencedBy(winner) {
		return winner.Bytes(), silenced(e.speaker)
	}
	e.log = winner
	return nil, nil
}

// dropSilenced forgets the bindings of devices that the winning log of their
// account has revoked, with their terms. Revocations stay: what was void does
// not come to life again.
func (h *Holder) dropSilenced(account identity.Principal) {
	held := h.logs[account]
	if held == nil {
		return
	}
	for e := range held.entries {
		if e.revocation == nil && e.silencedBy(held.log) {
			h.detach(e)
		}
	}
}

// attachLog counts an entry among those of its account. It bears the log if
// that is a better one than was held.
func (h *Holder) attachLog(e *entry) {
	if e.log == nil {
		return
	}
	held := h.logs[e.account()]
	if held == nil {
		held = &heldLog{entries: make(map[*entry]struct{})}
		h.logs[e.account()] = held
	}
	held.entries[e] = struct{}{}
	winner, outcome := identity.Judge(held.log, e.log)
	if e.log = winner; outcome == identity.LogExtends || outcome == identity.LogBeats {
		h.bear(held, e, winner)
	}
}

// bear makes an entry the one that bears the log of its account.
func (h *Holder) bear(held *heldLog, e *entry, log *identity.DeviceLog) {
	if last := held.bearer; last != nil {
		last.bears = 0
		h.ledger.changed(last)
	}
	held.log, held.bearer = log, e
	e.bears = len(log.Bytes())
	for o := range held.entries {
		o.log = log // and nothing of what it has come with is kept
	}
	h.ledger.changed(e)
}

// detachLog forgets an entry among those of its account. If it bore the log,
// the one that is remembered longest does so from now on.
func (h *Holder) detachLog(e *entry) {
	held := h.logs[e.account()]
	if held == nil || e.log == nil {
		return
	}
	delete(held.entries, e)
	if len(held.entries) == 0 {
		delete(h.logs, e.account())
	}
	if held.bearer != e {
		return
	}
	held.bearer, e.bears = nil, 0
	var next *entry
	for o := range held.entries {
		if next == nil || o.last().After(next.last()) {
			next = o
		}
	}
	if next != nil {
		h.bear(held, next, held.log)
	}
}
