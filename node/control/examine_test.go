package control

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// examined is an examiner of something that takes two seconds, and how often
// it was examined. All of it belongs to one bubble.
type examined struct {
	examiner
	times  int
	moved  uint64
	closed bool
}

func newExamined() *examined {
	x := &examined{}
	x.examine = func(context.Context) []doctor.Finding {
		x.times++
		time.Sleep(2 * time.Second)
		return nil
	}
	x.spawn = func(task func(context.Context)) bool {
		if !x.closed {
			go task(context.Background())
		}
		return !x.closed
	}
	x.change = func() uint64 { return x.moved }
	return x
}

func (x *examined) ask(t *testing.T) {
	t.Helper()
	if d, err := x.diagnosis(t.Context()); err != nil || d.Worst != "ok" || d.Examined.IsZero() {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestWhoAsksMeanwhileOrJustAfterSharesAnExamination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExamined()
		began := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { x.ask(t) })
		}
		all.Wait()
		time.Sleep(diagnosisLife - time.Millisecond)
		x.ask(t)
		if took := time.Since(began); x.times != 1 || took != 2*time.Second+diagnosisLife-time.Millisecond {
			t.Errorf("examined %d times in %s", x.times, took)
		}
		time.Sleep(time.Millisecond)
		if x.ask(t); x.times != 2 {
			t.Errorf("an old diagnosis is told: examined %d times", x.times)
		}
	})
}

func TestAChangeEndsADiagnosis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExamined()
		x.ask(t)
		x.moved++
		if x.ask(t); x.times != 2 {
			t.Errorf("examined %d times", x.times)
		}
	})
}

func TestAnExaminationOutlivesWhoAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExamined()
		hasty, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := x.diagnosis(hasty); err != context.DeadlineExceeded {
			t.Errorf("%v", err)
		}
		if x.ask(t); x.times != 1 {
			t.Errorf("examined %d times", x.times)
		}
		time.Sleep(diagnosisLife)
		x.closed = true
		_, err := x.diagnosis(t.Context())
		wantCode(t, err, wire.Closed, "closing")
	})
}
