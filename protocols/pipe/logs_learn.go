package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// ShowLog tells the service of a verified device log that somebody else has
// shown, or that has changed here. If it wins against the one that is known, a
// device that it has revoked speaks for the account no more: its records are
// dropped, it is not admitted, and a listener that rests on it ends. Listeners
// of this node that speak for the account show the new log to holders at once.
// Connections stay open: whoever has them closes them.
func (s *Service) ShowLog(l *identity.DeviceLog) { s.learnLog(l, false) }

// learnLog judges a log that was shown. With keptOnly it is of interest only if
// the account is known here already.
func (s *Service) learnLog(shown *identity.DeviceLog, keptOnly bool) {
	if shown == nil {
		return
	}
	winner, changed := s.known.learn(shown, keptOnly)
	if !changed {
		return
	}
	s.cache.voidOf(winner.Account(), time.Now(), s.voids)
	for _, l := range s.Listeners() {
		l.heed(winner)
	}
}

// voids reports that a verified binding does not count: it rests on a revoked
// capability, or on the word of a device that speaks for its account no more.
func (s *Service) voids(b Binding) bool { return s.revoked.voids(b) || s.known.silences(b.speaker) }

// revokes reports the same of a verified capability for a pipe.
func (s *Service) revokes(id ID, c identity.Capability) bool {
	return s.revoked.revokes(id, c) || s.known.silences(speakerOf(c))
}

// openBinding is OpenBinding with the service's memory of logs.
func (s *Service) openBinding(envelope []byte) (Binding, error) {
	return openBinding(envelope, s.logs.read)
}

// logsOf reads device logs that a peer shows: what was not read before counts
// against the rates of the peer and its group.
func (s *Service) logsOf(from peer.ID, group string) identity.LogReader {
	if from == s.cfg.Self {
		return s.logs.read
	}
	return s.logs.reader(func(requests int) error {
		err := s.limiter.allow(from, group, requests, time.Now())
		if err != nil {
			s.limited(CapRate, err)
		}
		return err
	})
}

// silenced says that a device speaks for its account no more.
func silenced(by speaker) *wire.Error {
	return wire.Errorf(wire.Forbidden, "node %s is no device of %s any more", by.device, by.account())
}

// readStanding reads the device log by which a holder has refused a record of
// this node. It is false for one that is none of the account's.
func (s *Service) readStanding(account identity.Principal, log []byte) bool {
	l, err := s.logs.read(log)
	if err != nil || l.Account() != account {
		return false
	}
	s.learnLog(l, false)
	return true
}

// speakAs returns the log by which this node speaks for an account: the one that
// wins of what its owner has and what is known here. It is Forbidden if this
// node is no device of the account by that.
func (s *Service) speakAs(shown *identity.DeviceLog) (*identity.DeviceLog, error) {
	if shown == nil {
		return nil, wire.Errorf(wire.Forbidden, "there is no device log to speak for an account by")
	}
	s.learnLog(shown, false)
	log := shown
	if known := s.known.of(shown.Account()); known != nil {
		log = known
	}
	if !log.Valid(s.cfg.Self) {
		return nil, wire.Errorf(wire.Forbidden, "this node is no device of %s, or has been revoked", shown.Account()).
			WithNext("link it to the account: panpipe account link")
	}
	return log, nil
}
