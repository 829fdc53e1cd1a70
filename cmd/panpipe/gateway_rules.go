package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newGatewayRemove(a *app) *cobra.Command {
	var q api.GatewayRemoveQuery
	cmd := &cobra.Command{
		Use: "rm RULE", Short: "Remove a rule of the gateway", Args: takes("RULE"),
		Long: "Removes a rule, named by its ID, by the address where it listens, or by the pipe that\n" +
			"it exposes. Its connections are reset; with --drain they go on until they end by\n" +
			"themselves, and the rule is listed as draining until then. The pipe of an expose rule\n" +
			"stays: exposed again under its name, it has the same ID (panpipe pipe rm forgets it).",
		Example:           "  panpipe gateway rm web\n  panpipe gateway rm 127.0.0.1:5432 --drain",
		ValidArgsFunction: a.completeRule,
		RunE: does(func(cmd *cobra.Command, args []string) error {
			ref, err := localAddress(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.RemoveGatewayRule(cmd.Context(), ref, q); err != nil {
				return err
			}
			return a.print(struct {
				Removed string `json:"removed"`
			}{args[0]}, func(io.Writer) {})
		}),
	}
	cmd.Flags().BoolVar(&q.Drain, "drain", false, "let open connections end by themselves")
	return cmd
}

func newGatewayApply(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "apply FILE|-", Short: "Make the rules of a file the rules of the gateway", Args: takes("FILE or -"),
		Long: "Makes the rules of a file, or of standard input, the whole set of rules: what is there\n" +
			"is kept or changed in place and its connections go on, others are added, and what is\n" +
			"not in the file is removed, its connections left to end by themselves. If one of the\n" +
			"rules makes no sense nothing is changed. A rule that cannot be taken up (its address\n" +
			"is in use, say) is kept and tried again; the exit code is 1 then.\n\n" +
			"The file is TOML with a table [[rules]] for each rule, or JSON with a list \"rules\",\n" +
			"such as panpipe gateway ls --json prints. Keys: kind (expose, forward or socks), target,\n" +
			"listen, pipe, allow, proxy_protocol, exclusive, transport, capability, spread,\n" +
			"max_channels, max_per_client, id.",
		Example: "  panpipe gateway apply rules.toml\n\n" +
			"  [[rules]]\n  kind = \"expose\"\n  target = \"127.0.0.1:8080\"\n  pipe = \"web\"\n  allow = [\"anyone\"]\n\n" +
			"  [[rules]]\n  kind = \"forward\"\n  listen = \"127.0.0.1:5432\"\n  pipe = \"bafkrei…\"",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			rules, err := a.readRules(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			changes, err := c.ApplyGatewayRules(cmd.Context(), rules)
			if err != nil {
				return err
			}
			if err := a.print(changes, func(w io.Writer) { printChanges(w, changes) }); err != nil {
				return err
			}
			if n := len(changes.Failed); n > 0 {
				return wire.Errorf(wire.Internal, "rules are saved, but %d could not be taken up", n).WithNext("see panpipe gateway ls")
			}
			return nil
		}),
	}
}

func printChanges(w io.Writer, c api.GatewayChanges) {
	for _, done := range []struct {
		word  string
		rules []string
	}{{"added", c.Added}, {"changed", c.Changed}, {"kept", c.Kept}, {"removed", c.Removed}} {
		for _, id := range done.rules {
			fmt.Fprintf(w, "%s %s\n", done.word, id)
		}
	}
	for _, f := range c.Failed {
		fmt.Fprintf(w, "not up %s: %s (%s)\n", f.Rule, f.Problem.Detail, f.Problem.Code)
		if f.Problem.Next != "" {
			fmt.Fprintf(w, "  next: %s\n", f.Problem.Next)
		}
	}
}

// readRules reads the rules of a file, or of standard input.
func (a *app) readRules(name string) ([]api.GatewayRule, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, wire.Errorf(wire.BadRequest, "rules: %w", err).WithNext("check the path; - reads standard input")
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, api.MaxBody+1))
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "rules: %w", err)
	}
	if len(text) > api.MaxBody {
		return nil, wire.Errorf(wire.TooLarge, "rules: more than %d bytes", api.MaxBody)
	}
	rules, err := parseRules(text)
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "rules in %s: %w", name, err).WithNext("see panpipe gateway apply --help")
	}
	for i, r := range rules {
		if rules[i], err = wholeRule(r); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

// wholeRule makes the addresses of a rule whole.
func wholeRule(r api.GatewayRule) (api.GatewayRule, error) {
	var err error
	if r.Target != "" {
		r.Target, err = localAddress(r.Target)
	}
	if r.Listen != "" && err == nil {
		r.Listen, err = listenAddress(r.Listen)
	}
	return r, err
}

// parseRules reads TOML, or the JSON of a listing or of a set. A file without
// rules is taken for a mistake: it would remove all.
func parseRules(text []byte) ([]api.GatewayRule, error) {
	var set struct {
		Rules []map[string]any `json:"rules" toml:"rules"`
	}
	dec := func(v any) error { return toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(v) }
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		dec = func(v any) error { return json.Unmarshal(text, v) }
	}
	if err := dec(&set); err != nil {
		return nil, wire.Errorf(wire.BadRequest, "neither TOML nor JSON of rules: %w", err)
	}
	if set.Rules == nil {
		return nil, wire.Errorf(wire.BadRequest, "there is no list \"rules\"; an empty one, rules = [], removes all")
	}
	rules := []api.GatewayRule{}
	for i, x := range set.Rules {
		if status, ok := x["rule"].(map[string]any); ok {
			if x["state"] == "draining" {
				continue
			}
			x = status // of a listing
		}
		plain, err := json.Marshal(x)
		if err != nil {
			return nil, wire.Errorf(wire.BadRequest, "rule %d: %w", i+1, err)
		}
		var r api.GatewayRule
		if err := api.Decode(bytes.NewReader(plain), &r); err != nil {
			return nil, wire.Errorf(wire.BadRequest, "rule %d: %w", i+1, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}
