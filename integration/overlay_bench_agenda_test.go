//go:build figures

package integration

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
)

// agenda does things at their times. All but what is given to aside runs on
// the goroutine of the test, which owns the world.
type agenda struct {
	items items
	soon  chan func() // from goroutines
	left  int         // things to do and goroutines that have not ended, without what repeats
}

func newAgenda() *agenda { return &agenda{soon: make(chan func())} }

// item is one thing to do.
type item struct {
	at      time.Time
	do      func()
	repeats bool // nobody waits for it
}

// after plans something.
func (a *agenda) after(d time.Duration, do func()) {
	a.left++
	heap.Push(&a.items, item{time.Now().Add(d), do, false})
}

// every does something again and again, as long as there is anything else to do.
func (a *agenda) every(d time.Duration, do func()) {
	heap.Push(&a.items, item{time.Now().Add(d), func() {
		do()
		a.every(d, do)
	}, true})
}

// aside runs do on a goroutine of its own, and what it returns on the test's.
func (a *agenda) aside(do func() (then func())) {
	a.left++
	go func() {
		then := do()
		a.soon <- func() {
			a.left--
			then()
		}
	}()
}

// run returns when all is done.
func (a *agenda) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for a.left > 0 {
		if len(a.items) > 0 {
			timer.Reset(time.Until(a.items[0].at))
		}
		select {
		case f := <-a.soon:
			f()
		case <-timer.C:
			if len(a.items) == 0 || a.items[0].at.After(time.Now()) {
				continue
			}
			next := heap.Pop(&a.items).(item)
			if !next.repeats {
				a.left--
			}
			next.do()
		}
	}
}

// items are a heap, the earliest first.
type items []item

// Len, Less, Swap, Push and Pop are heap.Interface.
func (q items) Len() int           { return len(q) }
func (q items) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q items) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *items) Push(x any)        { *q = append(*q, x.(item)) }
func (q *items) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// churn has nodes leave unannounced, and as many new ones join, each through
// one that is there. It spares those in use.
type churn struct {
	o     *overlay
	inUse map[*world.Node]int
	gone  int
}

// churnShare of the nodes leave, and as many come, in churnTime.
const (
	churnShare = 0.2
	churnTime  = 10 * time.Minute
)

// goOn plans the churn of a world.
func (c *churn) goOn(t *testing.T, a *agenda) {
	a.every(time.Duration(float64(churnTime)/(churnShare*float64(c.o.nodes))), func() {
		leaving := c.any(func(n *world.Node) bool { return c.inUse[n] == 0 })
		c.o.Kill(leaving)
		c.o.Join(t, c.any(func(n *world.Node) bool { return n.Discovery().State().Joined }))
		c.gone++
	})
}

// any picks a live node that will do.
func (c *churn) any(will func(*world.Node) bool) *world.Node {
	live := c.o.Live()
	for {
		if n := live[rand.IntN(len(live))]; will(n) {
			return n
		}
	}
}
