package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"
)

func TestEveryCodeHasAWordOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range Codes() {
		if uint32(c) != uint32(i) || seen[c.String()] {
			t.Errorf("code %d: number %d, word %q", i, uint32(c), c)
		}
		seen[c.String()] = true
		if got, ok := ParseCode(c.String()); !ok || got != c {
			t.Errorf("ParseCode(%q) = %v, %v", c, got, ok)
		}
	}
	if last := Codes()[len(Codes())-1]; last != Reset {
		t.Errorf("last code is %v: a constant lacks its word, or a word its constant", last)
	}
}

func TestUnknownWordsAndNumbersAreTold(t *testing.T) {
	if c, ok := ParseCode("nonsense"); ok || c != Internal {
		t.Errorf("ParseCode(nonsense) = %v, %v", c, ok)
	}
	if got := Code(4711).String(); got != "code-4711" {
		t.Errorf("Code(4711) = %q", got)
	}
}

func TestSpecificationTablesTheVocabulary(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^//\t *(\d+)  ([a-z-]+) `).FindAllStringSubmatch(string(doc), -1)
	if len(rows) != len(Codes()) {
		t.Fatalf("%d rows for %d codes", len(rows), len(Codes()))
	}
	for i, row := range rows {
		n, _ := strconv.Atoi(row[1])
		if n != i || row[2] != Code(i).String() {
			t.Errorf("row %d is %s %s, code is %v", i, row[1], row[2], Code(i))
		}
	}
}

// slowNet is how stream muxers tell a deadline: net.Error, nothing else.
type slowNet struct{}

func (slowNet) Error() string   { return "i/o timeout" }
func (slowNet) Timeout() bool   { return true }
func (slowNet) Temporary() bool { return true }

func TestCodeOfMapsEveryError(t *testing.T) {
	inner := Errorf(Unbound, "nobody")
	for _, c := range []struct {
		err  error
		want Code
	}{
		{nil, OK},
		{Busy, Busy},
		{fmt.Errorf("x: %w", Busy), Busy},
		{inner, Unbound},
		{fmt.Errorf("x: %w", inner), Unbound},
		{Errorf(Unreachable, "x: %w", inner), Unreachable},
		{fmt.Errorf("%w: %w", Moved, inner), Moved},
		{errors.Join(Unreachable, inner), Unreachable},
		{Errorf(Internal, "x: %w", context.DeadlineExceeded), Internal},
		{context.DeadlineExceeded, Timeout},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, Timeout},
		{slowNet{}, Timeout},
		{context.Canceled, Closed},
		{net.ErrClosed, Closed},
		{io.ErrClosedPipe, Closed},
		{io.EOF, Closed},
		{io.ErrUnexpectedEOF, Closed},
		{errors.New("x"), Internal},
	} {
		if got := CodeOf(c.err); got != c.want {
			t.Errorf("CodeOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestErrorIsItsCodeAndItsCause(t *testing.T) {
	err := fmt.Errorf("outer: %w", Errorf(Unreachable, "dial %s: %w", "x", io.ErrNoProgress))
	if !errors.Is(err, Unreachable) || !errors.Is(err, io.ErrNoProgress) || errors.Is(err, Timeout) {
		t.Errorf("%v: wrong chain", err)
	}
	if err.Error() != "outer: dial x: "+io.ErrNoProgress.Error() {
		t.Errorf("text %q", err)
	}
	if got := (&Error{Code: Gone}).Error(); got != "gone" {
		t.Errorf("error without words says %q", got)
	}
}

func TestTimeoutsAreNetErrors(t *testing.T) {
	for _, c := range Codes() {
		for _, err := range []error{c, Errorf(c, "x")} {
			var n net.Error
			if !errors.As(err, &n) || n.Timeout() != (c == Timeout) || n.Temporary() != (c == Timeout || c == Busy) { //nolint:staticcheck // deprecated, but net/http's server still asks it
				t.Errorf("%#v is not the right net.Error", err)
			}
		}
	}
}

func TestAdviceIsFoundThroughTheChain(t *testing.T) {
	deep := Errorf(Limit, "deep").WithNext("raise %s", "it")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("x"), ""},
		{&Error{Code: Busy}, ""},
		{deep, "raise it"},
		{fmt.Errorf("x: %w", deep), "raise it"},
		{Errorf(Busy, "x: %w", fmt.Errorf("y: %w", deep)), "raise it"},
		{Errorf(Busy, "x: %w", deep).WithNext("wait"), "wait"},
	} {
		if got := NextOf(c.err); got != c.want {
			t.Errorf("NextOf(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

func TestLimitErrorNamesCapAndSetting(t *testing.T) {
	err := LimitError("pipes per peer", 64, "limits.pipes_per_peer")
	if err.Error() != "limit pipes per peer (64) reached" || NextOf(err) != "raise limits.pipes_per_peer" || CodeOf(err) != Limit {
		t.Errorf("%v, next %q", err, NextOf(err))
	}
	if NextOf(LimitError("fixed", 1, "")) != "" {
		t.Error("advice without a setting")
	}
}
