package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/config"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

func newConfig(a *app) *cobra.Command {
	return group("config", "See the configuration", newConfigShow(a), newConfigKeys(a), newConfigPath(a))
}

func newConfigShow(a *app) *cobra.Command {
	var origin, running bool
	var file string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration that panpipe up would run with",
		Long: "Prints every setting that panpipe up would run with: defaults, then the profile's\n" +
			"file, then the environment, each over the one before. With --running it is that\n" +
			"of the node that runs now, its flags included.",
		Args: takes(),
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			settings, err := a.settings(cmd.Context(), file, running)
			if err != nil {
				return err
			}
			return a.print(api.SettingList{Settings: settings}, func(w io.Writer) { printSettings(w, settings, origin) })
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&origin, "origin", false, "tell where each value comes from")
	f.BoolVar(&running, "running", false, "ask the node that runs now")
	configFlag(cmd, &file)
	return cmd
}

func newConfigKeys(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "keys", Short: "List every key: what it does, its default and its variable",
		Long: "Lists every key of the configuration with its type, default, environment variable and\n" +
			"what it does. It reads no configuration, and works where that is wrong.",
		Args: takes(),
		RunE: does(func(*cobra.Command, []string) error {
			type key struct {
				Key         string `json:"key"`
				Type        string `json:"type"`
				Default     any    `json:"default"`
				Environment string `json:"environment"`
				Says        string `json:"says"`
			}
			var list struct {
				Keys []key `json:"keys"`
			}
			rows := [][]string{{"KEY", "TYPE", "DEFAULT", "ENVIRONMENT", "WHAT IT DOES"}}
			for _, k := range config.Keys() {
				list.Keys = append(list.Keys, key{k.Name, k.Type, k.Value, k.Env, k.Doc})
				items := itemsOf(k.Value, k.Default)
				rows = append(rows, []string{k.Name, k.Type, items[0], k.Env, k.Doc})
				for _, item := range items[1:] {
					rows = append(rows, []string{"", "", item, "", ""})
				}
			}
			return a.print(list, func(w io.Writer) { table(w, rows) })
		}),
	}
}

// configFlag is the flag that names another file than the profile's.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", os.Getenv("PANPIPE_CONFIG"), "configuration file instead of the profile's (PANPIPE_CONFIG)")
}

func (a *app) settings(ctx context.Context, file string, running bool) ([]api.Setting, error) {
	if running {
		c, err := a.client()
		if err != nil {
			return nil, err
		}
		return c.Settings(ctx)
	}
	c, err := config.Load(config.Options{Profile: a.profile, File: file})
	if err != nil {
		return nil, err
	}
	return apiSettings(c), nil
}

func apiSettings(c *config.Config) []api.Setting {
	var all []api.Setting
	for _, s := range c.Settings() {
		all = append(all, api.Setting{Key: s.Key, Value: s.Value, Text: s.Text, Origin: s.Origin})
	}
	return all
}

func printSettings(w io.Writer, settings []api.Setting, origin bool) {
	var rows [][]string
	for _, s := range settings {
		items := itemsOf(s.Value, s.Text)
		row := []string{s.Key, items[0]}
		if origin {
			row = append(row, s.Origin)
		}
		rows = append(rows, row)
		for _, item := range items[1:] {
			rows = append(rows, append([]string{"", item}, make([]string, len(row)-2)...))
		}
	}
	table(w, rows)
}

// itemsOf are the items of a list, for a line each; of anything else its text.
func itemsOf(value any, text string) []string {
	var items []string
	switch list := value.(type) {
	case []string:
		items = list
	case []any: // as it comes from a node
		for _, item := range list {
			items = append(items, fmt.Sprint(item))
		}
	}
	if len(items) == 0 {
		return []string{orDash(text)}
	}
	return items
}

func newConfigPath(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "path", Short: "Print where the profile's files are", Args: takes(),
		RunE: does(func(*cobra.Command, []string) error {
			var paths struct {
				Config string `json:"config"`
				State  string `json:"state"`
				Socket string `json:"socket"`
			}
			var err error
			if paths.Config, err = config.Path(a.profile); err != nil {
				return err
			}
			if paths.State, err = config.StateDir(a.profile); err != nil {
				return err
			}
			if paths.Socket = a.socket; paths.Socket == "" {
				if paths.Socket, err = client.SocketPath(a.profile); err != nil {
					return err
				}
			}
			return a.print(paths, func(w io.Writer) {
				fmt.Fprintf(w, "config  %s\nstate   %s\nsocket  %s\n", paths.Config, paths.State, paths.Socket)
			})
		}),
	}
}
