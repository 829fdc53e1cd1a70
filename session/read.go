package session

import (
	"context"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

const (
	firstBuffer = 4 << 10
	// maxBuffer caps what is read at once, and so a commit of one session. It is
	// above replica.MaxFrame.
	maxBuffer = 128 << 10
)

// read takes what arrives until the session ends, and returns why.
func (s *session) read(ctx context.Context) error {
	buf, n := make([]byte, firstBuffer), 0
	for {
		read, err := s.conn.Read(buf[n:])
		n += read
		taken, progress, wrong := s.take(ctx, buf[:n])
		if wrong != nil {
			return wrong
		}
		s.arm(progress)
		n = copy(buf, buf[taken:n])
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "session: %w", err)
		}
		if read+n >= len(buf) && len(buf) < maxBuffer {
			larger := make([]byte, 2*len(buf))
			copy(larger, buf[:n])
			buf = larger
		}
	}
}

// take takes the whole frames of b, and has their entries held. It returns how
// many bytes these are, and whether the far side has acknowledged something.
func (s *session) take(ctx context.Context, b []byte) (taken int, progress bool, err error) {
	var batch []replica.Entry
	for err == nil {
		var n int
		var do replica.Effect
		s.mu.Lock()
		n, do, err = s.machine.Receive(b[taken:])
		s.mu.Unlock()
		if err != nil {
			s.c.counts.refused.Add(1)
			break
		}
		if n == 0 {
			break
		}
		taken += n
		if do.Do == replica.Store {
			batch = append(batch, do.Entry)
			continue
		}
		progress = true
		err = s.act(ctx, &do)
	}
	if held := s.hold(ctx, batch); err == nil {
		err = held // what came before something wrong is held all the same
	}
	s.rouse()
	return taken, progress, err
}

// act does what the machine asks for, but Store.
func (s *session) act(ctx context.Context, do *replica.Effect) error {
	if do.Acked {
		s.c.cfg.Observer.Held(s.far.Device, do.Key, do.Run)
	}
	if do.Behind {
		if err := s.c.cfg.Journal.Renew(ctx, do.Key); err != nil {
			return err
		}
	}
	switch do.Do {
	case replica.Adopt:
		run, err := s.c.cfg.Journal.Adopt(do.Key, do.Run)
		if wire.CodeOf(err) == wire.Limit {
			return nil // it is not asked for; one conversation is not to hold up others
		} else if err != nil {
			return err
		}
		s.c.grown(map[replica.Key]replica.Run{do.Key: run})
	case replica.Compare:
		return s.compare(ctx, do)
	case replica.Split:
		return s.stopped(ctx, do.Key, why[replica.Forked])
	case replica.Stopped:
		return s.stopped(ctx, do.Key, do.Err)
	case replica.LogShown:
		if err := s.far.LogShown(do.Log); err != nil {
			return err
		}
		s.tell((*replica.Machine).Learned)
	case replica.Parted:
		return do.Err
	}
	return nil
}

// compare looks whether the far side's last entry of a log is the one held here.
func (s *session) compare(ctx context.Context, do *replica.Effect) error {
	held, err := s.c.cfg.Journal.Read(ctx, do.Key, do.Run.High, false, 1)
	if err != nil {
		return err
	}
	same := len(held) > 0 && held[0].ID.Tag() == do.Run.Tag
	s.mu.Lock()
	s.machine.Checked(do.Key, same)
	s.mu.Unlock()
	if !same {
		return s.stopped(ctx, do.Key, why[replica.Forked])
	}
	return nil
}

// why are the reasons that this side has to stop a log.
var why = map[replica.Verdict]*wire.Error{
	replica.Forked: wire.Errorf(wire.Taken, "a device has written different messages under the same numbers").
		WithNext("if a backup of its state was put back there, or a copy of it runs, stop the copy; what it writes from now on arrives"),
	replica.Full: wire.Errorf(wire.Limit, "the conversation has no room for more").
		WithNext("raise limits.conversation"),
}

// stopped reports a log that goes no further, and leaves it if it is this
// device's own and forked.
func (s *session) stopped(ctx context.Context, key replica.Key, why error) error {
	s.c.counts.stopped.Add(1)
	s.c.cfg.Observer.Stopped(s.far.Device, key, why)
	if wire.CodeOf(why) == wire.Taken && key.Author.Device == s.c.cfg.Device {
		return s.c.cfg.Journal.Renew(ctx, key)
	}
	return nil
}

// hold has entries journalled, and the far side told.
func (s *session) hold(ctx context.Context, batch []replica.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	verdicts, err := s.c.cfg.Journal.Append(ctx, batch)
	if err != nil {
		return err
	}
	stopped := map[replica.Key]error{}
	s.mu.Lock()
	for i, v := range verdicts {
		switch v {
		case replica.Repeated:
			s.c.counts.repeated.Add(1)
		case replica.Forked, replica.Full:
			if s.machine.Stop(batch[i].Key, why[v].Code) {
				stopped[batch[i].Key] = why[v]
			}
			continue
		default:
			if err = v.Err(); v == replica.Apart && s.machine.Moved(batch[i].Key) {
				err = nil
			} else if err != nil {
				s.c.counts.refused.Add(1)
			}
		}
		if err != nil {
			break
		}
		s.machine.Heard(batch[i].Key)
	}
	s.mu.Unlock()
	for key, reason := range stopped {
		if failed := s.stopped(ctx, key, reason); err == nil {
			err = failed
		}
	}
	return err
}
