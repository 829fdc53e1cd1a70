package trunk

// quantum is how many bytes a leg may send in one round while others wait.
const quantum = 16 << 10

// turn is a leg's place in a deficit round robin.
type turn struct {
	leg     *Leg
	next    *turn
	queued  bool
	begun   bool // it has its quantum of this round
	deficit int  // bytes that it may still use
}

// turns is a deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) of
// legs that have something to send:
//
//	leg that comes           stands at the end
//	head, alone              may use all there is
//	head, of several         gets a quantum a round, and what it saved
//	has nothing left         leaves, and saves nothing
//	cut short by the batch   goes on with the next batch
//	used its share           goes to the end
type turns struct{ head, tail *turn }

// push puts t at the end unless it stands in the queue already.
func (q *turns) push(t *turn) {
	if t.queued {
		return
	}
	t.queued = true
	if q.head == nil {
		q.head = t
	} else {
		q.tail.next = t
	}
	q.tail = t
}

// pop takes the head out.
func (q *turns) pop() *turn {
	t := q.head
	if q.head = t.next; q.head == nil {
		q.tail = nil
	}
	t.next, t.queued, t.begun = nil, false, false
	return t
}

// allow is how many of the batch's space bytes the head may use.
func (q *turns) allow(space int) int {
	t := q.head
	if t.next == nil {
		return space
	}
	if !t.begun {
		t.begun = true
		t.deficit = min(t.deficit+quantum, MaxFrame)
	}
	return min(space, t.deficit)
}

// done ends the turn of the head, which was allowed so many bytes of space,
// used some, and has more or not. It reports that the batch is what cut it
// short. Who has more and uses nothing of a whole batch has nothing after all.
func (q *turns) done(space, allowed, used int, more, whole bool) (cut bool) {
	t := q.head
	t.deficit = max(0, t.deficit-used)
	switch {
	case !more, used == 0 && allowed == space && whole:
		q.pop().deficit = 0
	case allowed == space:
		if t.begun && t.deficit == 0 && t.next != nil {
			q.push(q.pop())
		}
		return true
	case t.next != nil:
		q.push(q.pop())
	}
	return false
}
