package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// gatewayListing is what gateway ls tells.
type gatewayListing struct {
	Rules    []api.GatewayStatus `json:"rules"`
	Channels []ruleChannel       `json:"channels,omitempty"` // with --channels
}

// ruleChannel is a channel and its rule.
type ruleChannel struct {
	Rule string `json:"rule"`
	api.GatewayChannel
}

func newGatewayList(a *app) *cobra.Command {
	var channels, watch bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List the rules of the gateway, how they fare, and their connections", Args: takes(),
		Long: "Lists the rules of the gateway: state (up, waiting, failed, draining), open\n" +
			"connections, those that were opened and refused, bytes each way, and why a rule is not\n" +
			"up. With --channels also each open connection, a line each. With --watch again every\n" +
			"second, until Ctrl-C.",
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if watch {
				return a.watchGateway(cmd.Context(), c, channels)
			}
			l, err := listGateway(cmd.Context(), c, channels)
			if err != nil {
				return err
			}
			return a.print(l, func(w io.Writer) { printGateway(w, l, channels) })
		}),
	}
	cmd.Flags().BoolVar(&channels, "channels", false, "also each open connection")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on, every second")
	return cmd
}

func listGateway(ctx context.Context, c *client.Client, channels bool) (l gatewayListing, err error) {
	if l.Rules, err = c.GatewayRules(ctx); err != nil || !channels {
		return l, err
	}
	for _, r := range l.Rules {
		open, err := c.GatewayChannels(ctx, r.Rule.ID)
		if err != nil {
			continue // it was removed meanwhile
		}
		for _, x := range open {
			l.Channels = append(l.Channels, ruleChannel{r.Rule.ID, x})
		}
	}
	return l, nil
}

// watchInterval is the time between two listings.
const watchInterval = time.Second

// watchGateway lists again and again until ctx ends, which is no failure.
func (a *app) watchGateway(ctx context.Context, c *client.Client, channels bool) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		l, err := listGateway(ctx, c, channels)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if isTerminal(a.out) && !a.json {
			fmt.Fprint(a.out, "\x1b[H\x1b[2J") // home, clear
		}
		if err := a.print(l, func(w io.Writer) { printGateway(w, l, channels) }); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func printGateway(w io.Writer, l gatewayListing, channels bool) {
	if len(l.Rules) == 0 {
		fmt.Fprintln(w, "no rules; panpipe gateway expose publishes a service, panpipe gateway forward reaches one")
		return
	}
	rows := [][]string{{"RULE", "KIND", "ADDRESS", "PIPE", "STATE", "CHANNELS", "OPENED", "REFUSED", "RECEIVED", "SENT"}}
	for _, s := range l.Rules {
		rows = append(rows, []string{
			s.Rule.ID, s.Rule.Kind, addressOf(s), orDash(s.Rule.Pipe), s.State, strconv.Itoa(s.Channels),
			strconv.FormatUint(s.Opened, 10), refusedText(s), sizeText(s.Received), sizeText(s.Sent),
		})
	}
	table(w, rows)
	for _, s := range l.Rules {
		printTrouble(w, s)
	}
	if channels {
		printChannels(w, l.Channels)
	}
}

// addressOf is the local address of a rule.
func addressOf(s api.GatewayStatus) string {
	switch {
	case s.Rule.Kind == "expose":
		return s.Rule.Target
	case s.Addr != "":
		return s.Addr
	}
	return s.Rule.Listen
}

// printTrouble tells why a rule is not up, or leads nowhere.
func printTrouble(w io.Writer, s api.GatewayStatus) {
	p, why := s.Problem, s.State+" since "+s.Since.Local().Format(time.DateTime)
	if p == nil && s.Unbound != nil {
		p, why = s.Unbound, leadsText(s)
	}
	if p == nil {
		return
	}
	fmt.Fprintf(w, "%s %s: %s (%s)\n", s.Rule.ID, why, p.Detail, p.Code)
	if p.Next != "" {
		fmt.Fprintf(w, "  next: %s\n", p.Next)
	}
}

// leadsText tells in short why a forward rule has nobody to lead to.
func leadsText(s api.GatewayStatus) string {
	if s.Unbound.Code == wire.NotReady.String() {
		return "connecting"
	}
	return "leads to nobody now"
}

func printChannels(w io.Writer, all []ruleChannel) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no open connections")
		return
	}
	rows := [][]string{{"CHANNEL", "RULE", "CLIENT", "FAR NODE", "OVER", "OPEN FOR", "RECEIVED", "SENT"}}
	for _, c := range all {
		over := orDash(c.Transport)
		if c.ReconnectingSince != nil {
			over = "reconnecting since " + c.ReconnectingSince.Local().Format(time.TimeOnly)
		}
		rows = append(rows, []string{
			orDash(c.ID), c.Rule, c.Client, c.Principal, over, time.Since(c.Opened).Round(time.Second).String(), sizeText(c.Received), sizeText(c.Sent),
		})
	}
	table(w, rows)
}

// refusedText counts refusals, with their causes.
func refusedText(s api.GatewayStatus) string {
	var causes []string
	total := uint64(0)
	for _, r := range s.Refused {
		total += r.Count
		causes = append(causes, r.Code+" "+strconv.FormatUint(r.Count, 10))
	}
	if total == 0 {
		return "0"
	}
	slices.Sort(causes)
	return fmt.Sprintf("%d (%s)", total, strings.Join(causes, ", "))
}

// ruleText is the line of a rule in a status.
func ruleText(s api.GatewayStatus) string {
	text := fmt.Sprintf("%s %s: %s, %d open", s.Rule.Kind, ruleWords(withAddr(s)), s.State, s.Channels)
	switch {
	case s.Problem != nil:
		text += ": " + firstLine(s.Problem.Detail)
	case s.Unbound != nil:
		text += ", " + leadsText(s) + ": " + firstLine(s.Unbound.Detail)
	}
	return text
}

// firstLine leaves out what a longer text goes on with.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, ":")
}

// withAddr is a rule that listens where it really does.
func withAddr(s api.GatewayStatus) api.GatewayRule {
	if s.Addr != "" {
		s.Rule.Listen = s.Addr
	}
	return s.Rule
}

// sizeText writes a number of bytes as a person reads it.
func sizeText(n uint64) string {
	const units = "KMGTP"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/(1<<10), 0
	for ; f >= 1<<10 && i < len(units)-1; i++ {
		f /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
