//go:build figures

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What the kernel tells of processes, in /proc.

// clockTicks is how /proc counts the time of processors: USER_HZ, which is 100
// on every Linux that has Go.
const clockTicks = 100

// cpuOf is the time of processors that processes have used, in seconds, with
// that of children they have waited for.
func cpuOf(pids []int) (seconds float64, err error) {
	for _, pid := range pids {
		fields, err := statOf(pid)
		if err != nil {
			return 0, err
		}
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return 0, err
			}
			seconds += ticks / clockTicks
		}
	}
	return seconds, nil
}

// statOf is /proc/PID/stat from the third field, the state, on: what comes
// before may have spaces in it (proc(5)).
func statOf(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	return strings.Fields(rest), nil
}

// residentOf is the resident set of processes together, in KiB.
func residentOf(pids []int) (kib float64, err error) {
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, rest, ok := strings.Cut(string(status), "\nVmRSS:")
		if !ok {
			return 0, fmt.Errorf("the kernel tells no VmRSS of %d", pid)
		}
		n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
		if err != nil {
			return 0, err
		}
		kib += n
	}
	return kib, nil
}

// familyOf is a process and all that it and its children have started and that
// still run.
func familyOf(pid int) []int {
	children := make(map[int][]int)
	all, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range all {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		fields, err := statOf(child)
		if err != nil {
			continue // it has just ended
		}
		parent, err := strconv.Atoi(fields[1])
		if err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	family := []int{pid}
	for i := 0; i < len(family); i++ {
		family = append(family, children[family[i]]...)
	}
	return family
}

// filesOf counts the descriptors that a process has open.
func filesOf(pid int) (int, error) {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(open), err
}
