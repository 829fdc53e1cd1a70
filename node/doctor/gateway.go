package doctor

import "fmt"

// gateway judges the rules of the gateway.
func gateway(n Node) []Finding {
	var all []Finding
	well, channels := 0, 0
	for _, r := range n.Gateway {
		channels += r.Clients
		switch {
		case r.Down != "" && r.Waits:
			all = append(all, one(GatewayRule, Warning, fmt.Sprintf("gateway rule %s (%s) takes no clients yet; it is tried again", r.ID, r.Does), r.Down, r.Next)...)
		case r.Down != "":
			all = append(all, one(GatewayRule, Problem, fmt.Sprintf("gateway rule %s (%s) takes no clients", r.ID, r.Does), r.Down,
				orElse(r.Next, "change the rule, or remove it: panpipe gateway rm "+r.ID))...)
		case r.Mute != "" && r.Expose:
			all = append(all, one(GatewayTarget, Problem, fmt.Sprintf("the service behind gateway rule %s (%s) does not answer: every dialer is refused", r.ID, r.Does), r.Mute,
				orElse(r.Next, "start the service, or correct the rule's target"))...)
		case r.Mute != "":
			all = append(all, one(GatewayPipe, Warning, fmt.Sprintf("gateway rule %s (%s) leads nowhere: its clients are refused", r.ID, r.Does), r.Mute,
				orElse(r.Next, "see that the far node runs; panpipe explain tells more of the pipe"))...)
		default:
			well++
		}
	}
	if well > 0 {
		all = append(all, one(GatewayRule, OK, fmt.Sprintf("%s of the gateway in order", count(well, "rule")),
			fmt.Sprintf("they take clients, and what they lead to answers; %s", count(channels, "open channel")), "")...)
	}
	return all
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
