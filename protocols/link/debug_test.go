package link

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

func TestDebug(t *testing.T) {
	seed, _ := strconv.Atoi(os.Getenv("SEED"))
	_ = rand.N[int]
	s := newSim(uint64(seed), 200000+uint64(seed)*7919%900000, 200000+uint64(seed)*104729%900000)
	s.harass(20)
	s.run()
	s.check(t)
	for _, n := range s.nodes {
		m := n.m
		if m == nil {
			continue
		}
		fmt.Printf("node at %d app=%v dead=%v over=%v frozen=%v moved=%v\n  cur=%+v ask=%+v old=%v gen=%d heard=%v\n in: off=%d end=%d ahead=%d-%d credit=%d fin=%d eof=%v\n out: off=%d end=%d next=%d sent=%d rec=%d credit=%d fin=%v finSent=%v stopped=%v\n ackNow=%v later=%v rewind=%v told=%+v gap=%v deadline=%v\n",
			n.at, n.app != nil, n.dead, m.over, m.frozen, m.moved, m.cur, m.ask, m.old, m.gen, m.heard,
			m.in.q.off, m.in.q.end, m.in.ahead.off, m.in.ahead.end, m.in.credit, m.in.fin, m.in.eof,
			m.out.q.off, m.out.q.end, m.out.next, m.out.sent, m.out.received, m.out.credit, m.out.fin, m.out.finSent, m.out.stopped,
			m.ackNow, m.ackLater, m.rewind, m.told, m.gapSince, m.deadline())
	}
}
