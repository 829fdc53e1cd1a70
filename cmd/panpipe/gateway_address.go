package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// localAddress makes the address of a service whole: the node runs in another
// folder than the command line. The node itself reads it.
func localAddress(text string) (string, error) {
	path, named := strings.CutPrefix(text, "unix:")
	if named {
		path = strings.TrimPrefix(path, "//")
	} else if !strings.Contains(text, "/") || strings.HasPrefix(text, "tcp:") {
		return text, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", wire.Errorf(wire.BadRequest, "address %q: %w", text, err)
	}
	return "unix:" + path, nil
}

// listenAddress is localAddress for where one listens. A port alone is meant for
// this machine alone, however it is written.
func listenAddress(text string) (string, error) {
	if port, ok := strings.CutPrefix(text, ":"); ok {
		return "127.0.0.1:" + port, nil
	}
	return localAddress(text)
}

// private reports that only this machine reaches an address.
func private(addr string) bool {
	if strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, _ := net.SplitHostPort(addr) // the node has read it
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// complete lets a shell complete the value of a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for no flag of this command
}

// completionTime is how long a shell may wait for the node.
const completionTime = time.Second

// completePipe completes the second argument with the names of pipes.
func (a *app) completePipe(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	var names []string
	if c, err := a.client(); err == nil {
		pipes, _ := c.Pipes(ctx) // without a node there is nothing to complete
		for _, p := range pipes {
			if p.Name != "" {
				names = append(names, p.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeRule completes the first argument with the IDs of rules.
func (a *app) completeRule(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	var ids []string
	if c, err := a.client(); err == nil {
		rules, _ := c.GatewayRules(ctx) // as above
		for _, r := range rules {
			ids = append(ids, cobra.CompletionWithDesc(r.Rule.ID, ruleWords(r.Rule)))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// ruleWords tells what a rule does.
func ruleWords(r api.GatewayRule) string {
	switch r.Kind {
	case "expose":
		return r.Target + " on " + r.Pipe
	case "forward":
		return r.Listen + " to " + r.Pipe
	}
	return r.Listen
}
