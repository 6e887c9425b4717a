package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// environmentName returns the variable of a flag: --node-name is EDGEISTRY_NODE_NAME.
func environmentName(flag string) string {
	return "EDGEISTRY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// showEnvironment writes each flag's variable into its help.
func showEnvironment(cmd *cobra.Command) {
	show := func(f *pflag.Flag) {
		env := " [" + environmentName(f.Name) + "]"
		if !commandLineOnly(f) && !strings.HasSuffix(f.Usage, env) {
			f.Usage += env
		}
	}
	cmd.PersistentFlags().VisitAll(show)
	cmd.LocalFlags().VisitAll(show)
}

// commandLineOnly reports whether a flag has no environment variable.
func commandLineOnly(f *pflag.Flag) bool { return f.Name == "help" || f.Name == versionFlag }

// items splits the value of a flag that may be repeated.
func items(f *pflag.Flag, value string) []string {
	if _, repeated := f.Value.(pflag.SliceValue); repeated {
		return strings.Split(value, ",")
	}
	return []string{value}
}

// fromEnvironment sets every flag that the command line left out and the environment gives. A list is separated by commas.
func (c *cli) fromEnvironment(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || commandLineOnly(f) || failed != nil {
			return
		}
		name := environmentName(f.Name)
		value, ok := c.lookupEnv(name)
		if !ok || value == "" {
			return
		}
		for _, item := range items(f, value) {
			if strings.TrimSpace(item) == "" {
				failed = usagef("environment variable %s has an empty item in %.80q", name, value).Try("give each item a value, or unset %s", name)
				return
			}
			if err := cmd.Flags().Set(f.Name, item); err != nil {
				failed = usagef("environment variable %s: %w", name, err)
			}
		}
	})
	if timeout := cmd.Flags().Lookup("timeout"); timeout != nil {
		c.timeoutSet = timeout.Changed
	}
	return failed
}
