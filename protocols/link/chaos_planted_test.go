//go:build !plantedbug

package link

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestChaosFindsAPlantedBug builds chaos with a sender that forgets a byte when
// it goes back, and sees the bug found, and found again by the seed.
func TestChaosFindsAPlantedBug(t *testing.T) {
	chaos := filepath.Join(t.TempDir(), "chaos.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "plantedbug", "-o", chaos, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seed := found(t, chaos, "RUNS=8", "SEED=1")
	if again := found(t, chaos, "RUNS=1", "SEED="+seed); again != seed {
		t.Errorf("seed %s repeats seed %s", again, seed)
	}
}

// found runs chaos, which must fail, and gives the first seed that it names.
func found(t *testing.T, chaos string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), chaos, "-test.run", "^TestChaos$")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	seed := regexp.MustCompile(`make chaos RUNS=1 SEED=(\d+): .*(violation|differs|byte)`).FindSubmatch(out)
	if err == nil || seed == nil {
		t.Fatalf("chaos found nothing: %v\n%s", err, out)
	}
	return string(seed[1])
}
