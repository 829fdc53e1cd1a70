package link

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

func FuzzFrame(f *testing.F) {
	v := vectorfile.Read[vectors](f)
	for _, x := range v.Frames {
		f.Add(byte(x.Kind), vectorfile.Bytes(f, x.Hex))
	}
	for _, x := range v.Refused {
		f.Add(byte(x.Kind), vectorfile.Bytes(f, x.Hex))
	}
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		again, err := reparse(kind(k), b)
		if err != nil {
			if wire.CodeOf(err) != wire.BadRequest {
				t.Errorf("%x: %v", b, err)
			}
			return
		}
		if !bytes.HasPrefix(b, again) {
			t.Errorf("%x was read as %x", b, again)
		}
	})
}

// FuzzState takes ends that others exported, and lives with them for a while.
func FuzzState(f *testing.F) {
	for _, v := range vectorfile.Read[vectors](f).States {
		f.Add(vectorfile.Bytes(f, v.Hex), []byte{opDial, 0, opPull, opWrite, 9, opRead, opFreeze, opMove})
	}
	f.Fuzz(func(t *testing.T, b, script []byte) {
		s, err := parseState(b, testWindow)
		if err != nil {
			return
		}
		if again := s.append(nil); !bytes.HasPrefix(b, again) {
			t.Errorf("%x was read as %x", b, again)
		}
		p := newPuppet(script)
		p.budget.used = int(s.beyondFirst())
		p.m = restore(s, p.settings(s.has(stateDialer)))
		p.m.claim(s.epoch+1, []byte("token"))
		p.check(t)
		p.play(t)
	})
}

// FuzzMachine has a far side and an application do whatever the script says.
func FuzzMachine(f *testing.F) {
	f.Add(true, []byte{opWrite, 200, opDial, 0, opPull, opAnswer, 0, 0, opAck, 0, 3, 3, 9, opData, 0, 70, opRead})
	f.Add(false, []byte{opResume, 1, 0, 0, opPull, opData, 0, 255, opSeek, 0, 40, opData, 0, 9, opFin, 0, 3, opTick})
	f.Add(false, []byte{opResume, 1, 0, 0, opResume, 1, 1, 0, opData, 1, 60, opLost, 0, opTick, opRewind, 1, 0, opFreeze, opMove, opTick})
	f.Add(true, []byte{opDial, 0, opRaw, 0, 18, 5, 1, 2, 3, 4, 5, opStop, opCloseWrite, opFin, 0, 0, opRaw, 0, 27, 0})
	f.Fuzz(func(t *testing.T, dialer bool, script []byte) {
		p := newPuppet(script)
		p.m = newMachine(p.settings(dialer))
		p.play(t)
	})
}

// TestMachineBearsAnyScript runs as many scripts as fit into a moment.
func TestMachineBearsAnyScript(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range 8000 {
		script := make([]byte, 20+rng.IntN(400))
		for j := range script {
			if script[j] = byte(rng.Uint32()); rng.IntN(2) == 0 {
				script[j] %= ops
			}
		}
		p := newPuppet(script)
		p.m = newMachine(p.settings(i%2 == 0))
		if p.play(t); t.Failed() {
			t.Fatalf("script %d: %x", i, script)
		}
	}
}
