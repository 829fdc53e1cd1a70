package link

import (
	"fmt"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fates are why a link may have ended before all was said.
type fates struct {
	reset   bool // an end has reset it
	crashed bool // an end has died with nobody to go on
	outage  bool // nothing passed for longer than the time of grace
	fatalAt time.Time
}

// simReset is the code with which ends reset the link.
const simReset = wire.Busy

// lateTime is how long beyond the time of grace an end may take to find out that
// the other is gone, which begins with the loss of its leg.
const lateTime = 25 * time.Second

// outcome is what became of an end.
type outcome struct {
	at               int
	err              error // why the link has ended
	written, toWrite uint64
	read             uint64
	sawEOF           bool
	left             bool // it has closed the link early
	dead             bool // crashed
	never            bool // it never heard of the link
	over             time.Time
}

// judge says what is wrong with an end, if anything is. That each byte is right
// has been seen when it was read.
func (f fates) judge(a, far outcome) string {
	fatal := f.crashed || f.outage
	switch {
	case a.dead, a.never && fatal:
		return ""
	case a.err == nil:
		return fmt.Sprintf("end %d has neither ended nor goes on", a.at)
	case a.read > far.written && !far.dead:
		return fmt.Sprintf("end %d read %d bytes, the far side wrote %d", a.at, a.read, far.written)
	case a.err == errComplete:
		return complete(a, far)
	case wire.CodeOf(a.err) == simReset && f.reset:
		return ""
	case wire.CodeOf(a.err) == wire.Gone && fatal:
		if late := a.over.Sub(f.fatalAt); late > simGrace+lateTime {
			return fmt.Sprintf("end %d was gone %s after the far side", a.at, late)
		}
		return ""
	}
	return fmt.Sprintf("end %d ended, and it could have lived: %v", a.at, a.err)
}

// complete judges an end that says that all went well.
func complete(a, far outcome) string {
	switch {
	case a.left:
		return ""
	case !a.sawEOF:
		return fmt.Sprintf("end %d is complete and has not seen the end of its stream", a.at)
	case far.left || far.dead:
		return ""
	case a.read != far.written || far.written != far.toWrite:
		return fmt.Sprintf("end %d is complete with %d bytes, the far side wrote %d of %d", a.at, a.read, far.written, far.toWrite)
	case a.written != a.toWrite:
		return fmt.Sprintf("end %d is complete and wrote %d of %d bytes", a.at, a.written, a.toWrite)
	}
	return ""
}
