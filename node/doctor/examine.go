package doctor

// Examine judges the facts, worst first.
func Examine(f Facts) []Finding {
	var all []Finding
	if f.Node == nil {
		all = append(all, notRunning(f)...)
	} else {
		for _, rule := range []func(Node) []Finding{
			listening, reachability, portMapping, relays, circuits, clock,
			peers, joins, role, table, survey, bindings, gateway, foreign, refusals,
		} {
			all = append(all, rule(*f.Node)...)
		}
	}
	all = append(all, udpBuffers(f.Machine)...)
	all = append(all, proxies(f.Machine, f.Node)...)
	all = append(all, openFiles(f.Machine, f.Node)...)
	all = append(all, stateDir(f.Machine.State)...)
	Sort(all)
	return all
}

func one(c Code, s Severity, summary, cause, next string) []Finding {
	return []Finding{{Code: c, Severity: s, Summary: summary, Cause: cause, Next: next}}
}

// notRunning is all that can be said of a node that is not there.
func notRunning(f Facts) []Finding {
	start := "start it with panpipe up"
	if f.Profile != "" && f.Profile != "default" {
		start += " --profile " + f.Profile
	}
	all := one(NodeNotRunning, Problem, "no node is running for profile "+f.Profile, "nothing answers at its socket", start)
	if f.ConfigError != "" {
		all = append(all, one(ConfigWrong, Problem, "the configuration is wrong: panpipe up would refuse it", f.ConfigError,
			"correct it; panpipe config show --origin tells where each value comes from")...)
	}
	return all
}
