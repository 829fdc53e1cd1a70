package node

import (
	"log/slog"
	"strings"
	"sync"
	"testing"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
)

// lines is a writer that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLibp2pSpeaksThroughTheNodesLog(t *testing.T) {
	var out lines
	cfg := local()
	cfg.Log = slog.New(slog.NewTextHandler(&out, nil))
	cfg.LogLevels = map[string]slog.Level{"loud": slog.LevelDebug, "libp2p": slog.LevelWarn, "zapped": slog.LevelInfo}
	zap := golog.Logger("zapped")
	n := start(t, cfg)
	gologshim.Logger("loud").With("k", 1).WithGroup("g").Debug("heard", "v", 2)
	gologshim.Logger("quiet").Info("not heard")
	gologshim.Logger("quiet").Warn("warned")
	zap.With("k", 1).Infow("from zap", "v", 2)
	zap.Debug("not heard")
	got := out.String()
	for _, want := range []string{
		`level=DEBUG msg=heard subsystem=loud k=1 g.v=2`, `level=WARN msg=warned subsystem=quiet`,
		`level=INFO msg="from zap" subsystem=zapped k=1 v=2`,
	} {
		if !strings.Contains(strings.ReplaceAll(got, "v=2 k=1", "k=1 v=2"), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "not heard") {
		t.Errorf("heard too much:\n%s", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	before := out.String()
	gologshim.Logger("loud").Error("after the end")
	if out.String() != before {
		t.Error("libp2p is still heard after Close")
	}
}

func TestSubsystemsHaveLevelsOfTheirOwn(t *testing.T) {
	var out lines
	log := slog.New(slog.NewTextHandler(&out, nil))
	levels := map[string]slog.Level{"chatty": slog.LevelDebug, "still": slog.LevelError}
	for _, name := range []string{"chatty", "still", "plain"} {
		l := subsystem(log, name, levels).With("a", 1).WithGroup("g")
		l.Debug("d")
		l.Info("i")
		l.Error("e")
	}
	for want, there := range map[string]bool{
		"msg=d subsystem=chatty": true, "msg=d subsystem=plain": false, "msg=i subsystem=plain": true,
		"msg=i subsystem=still": false, "msg=e subsystem=still": true,
	} {
		if strings.Contains(out.String(), want) != there {
			t.Errorf("%q: want %v in\n%s", want, there, out.String())
		}
	}
}
