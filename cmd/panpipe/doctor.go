package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/node/config"
	"github.com/panpipe-net/panpipe/node/control"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newDoctor(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the node and its machine: what is wrong, why, and what to do",
		Long: "Examines the node, the overlay around it and the machine, and tells what it finds,\n" +
			"worst first, each with a code, a cause, and what to do. Exits with 1 if there is a\n" +
			"problem. Where no node runs it examines what can be examined without one, and\n" +
			"exits with 3.",
		Args: takes(),
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			d, err := a.diagnose(cmd.Context(), file)
			if d == nil {
				return err
			}
			if err := a.print(d, func(w io.Writer) { a.printDiagnosis(w, *d) }); err != nil {
				return err
			}
			if err == nil && d.Worst == string(doctor.Problem) {
				err = wire.Errorf(wire.Internal, "the examination found a problem")
			}
			if err != nil {
				return errReported{err}
			}
			return nil
		}),
	}
	configFlag(cmd, &file)
	return cmd
}

// diagnose has the node examined. Where none runs, the machine is, and the
// error is wire.NotReady beside a diagnosis.
func (a *app) diagnose(ctx context.Context, file string) (*api.Diagnosis, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	d, err := c.Doctor(ctx)
	switch {
	case err == nil:
		return &d, nil
	case wire.CodeOf(err) != wire.NotReady:
		return nil, err
	}
	return a.diagnoseMachine(file), err
}

// diagnoseMachine examines what there is without a node.
func (a *app) diagnoseMachine(file string) *api.Diagnosis {
	f := doctor.Facts{Profile: a.profile}
	cfg, err := config.Load(config.Options{Profile: a.profile, File: file})
	if err != nil {
		f.ConfigError = err.Error()
		f.Machine = node.Machine("")
		f.Machine.State.Examined = false // where it is, the configuration would say
	} else {
		f.Machine = node.Machine(cfg.Values.StateDir)
	}
	found := doctor.Examine(f)
	return &api.Diagnosis{Examined: time.Now(), Worst: string(doctor.Worst(found)), Findings: control.Findings(found)}
}

// severityTitles are headings, by severity.
var severityTitles = map[doctor.Severity]string{
	doctor.Problem: "problems", doctor.Warning: "warnings", doctor.Note: "notes", doctor.OK: "in order",
}

// printDiagnosis writes the findings in groups, worst first. With -q what is
// in order is left out.
func (a *app) printDiagnosis(w io.Writer, d api.Diagnosis) {
	for _, s := range doctor.Severities() {
		var group []api.Finding
		for _, f := range d.Findings {
			if f.Severity == string(s) {
				group = append(group, f)
			}
		}
		if len(group) == 0 || a.quiet && s == doctor.OK {
			continue
		}
		fmt.Fprintln(w, a.bold(w, severityTitles[s]))
		for _, f := range group {
			printFinding(w, f)
		}
	}
}

func printFinding(w io.Writer, f api.Finding) {
	fmt.Fprintf(w, "  %s (%s)\n", f.Summary, f.Code)
	if f.Cause != "" {
		fmt.Fprintf(w, "    why: %s\n", strings.ReplaceAll(f.Cause, "\n", "\n      "))
	}
	if f.Next != "" {
		fmt.Fprintf(w, "    next: %s\n", f.Next)
	}
}
