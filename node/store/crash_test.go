package store

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// childPath names the file that the test binary writes to when it is started
// as the child of TestKilledProcessLosesNothingAcknowledged.
const childPath = "PANPIPE_STORE_TEST_CHILD"

// numbered is the i-th ID of the child.
func numbered(i uint64) (id pipe.ID, err error) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
	return pipe.IDFromBytes(append([]byte{1, 0x55, 0x12, 32}, sum[:]...))
}

// runChild writes for ever and says each number once it is acknowledged.
func runChild() {
	path := os.Getenv(childPath)
	if path == "" {
		return
	}
	s, err := Open(ctx, path)
	for i := uint64(0); err == nil; i++ {
		var id pipe.ID
		if id, err = numbered(i); err == nil {
			err = s.SaveState(ctx, id, pipe.BindState{Seq: i + 1, Term: i})
		}
		if err == nil {
			fmt.Println(i)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := tempPath(t)
	acknowledged := 0
	for range 3 { // each run finds what the killed one before has left
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childPath+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, seen := bufio.NewScanner(out), 0
		for lines.Scan() {
			if seen++; seen == 100 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // killed
		acknowledged = max(acknowledged, seen)
	}
	s := mustOpen(t, path)
	for i := range uint64(acknowledged) {
		id, err := numbered(i)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := s.State(ctx, id); err != nil || st.Seq != i+1 || st.Term != i {
			t.Fatalf("row %d of %d: %+v, %v", i, acknowledged, st, err)
		}
	}
	if acknowledged < 100 {
		t.Errorf("only %d rows were acknowledged", acknowledged)
	}
}
