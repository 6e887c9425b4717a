package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// completeTime bounds what the shell waits for the node when Tab is pressed. What the state directory has needs no node.
const completeTime = 500 * time.Millisecond

// complete is a function that offers words to the shell. It is silent about what goes wrong: nobody asked for errors.
type complete = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// offer makes the answer to the shell: the words in order, and no files.
func offer(words []string) ([]string, cobra.ShellCompDirective) {
	slices.Sort(words)
	return slices.Compact(words), cobra.ShellCompDirectiveNoFileComp
}

// first offers words for the first argument and nothing behind it.
func first(f complete) complete {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return offer(nil)
		}
		return f(cmd, args, word)
	}
}

// completeNames offers the keychain.
func (c *cli) completeNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if h, err := c.openHome(); err == nil {
		entries, _ := h.Keychain.All()
		for _, e := range entries {
			names = append(names, e.Name)
		}
	}
	return offer(names)
}

// completeServices offers the local names of services.
func (c *cli) completeServices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return offer(c.serviceNames())
}

func (c *cli) serviceNames() (names []string) {
	if h, err := c.openHome(); err == nil {
		known, _ := h.Names.All()
		for name := range known {
			names = append(names, name)
		}
	}
	return names
}

// completeDevices offers the devices of this node.
func (c *cli) completeDevices(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return offer(nil)
	}
	var names []string
	if h, err := c.openHome(); err == nil {
		devices, _ := h.Devices.All()
		for _, d := range devices {
			names = append(names, nameOr(d.Name, d.Service.String()))
		}
	}
	return offer(names)
}

// completeDeployed offers the functions that run on this node.
func (c *cli) completeDeployed(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	c.quickly(func(ctx context.Context, client *api.Client) {
		functions, _ := client.Functions(ctx)
		for _, f := range functions {
			names = append(names, f.Name)
		}
	})
	return offer(names)
}

// completeNodes offers services, and the nodes that are connected.
func (c *cli) completeNodes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return offer(append(c.serviceNames(), c.peers()...))
}

func (c *cli) peers() (ids []string) {
	c.quickly(func(ctx context.Context, client *api.Client) {
		if status, err := client.Status(ctx); err == nil {
			for _, p := range status.Peers {
				ids = append(ids, p.ID)
			}
		}
	})
	return ids
}

// quickly asks the running node, if there is one, for no longer than a shell can wait.
func (c *cli) quickly(ask func(context.Context, *api.Client)) {
	_, client, err := c.connect()
	if err != nil {
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), completeTime)
	defer cancel()
	ask(ctx, client)
}

// completeFunctions offers SERVICE/ and then SERVICE/FUNCTION.
func (c *cli) completeFunctions(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return c.completeTarget(word, false, func(m edgeistry.Manifest) (names []string) {
		for _, f := range m.Functions {
			names = append(names, f.Name)
		}
		return names
	})
}

// completeLogs offers the logs of this node, SERVICE/, and then SERVICE/LOG.
func (c *cli) completeLogs(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return c.completeTarget(word, true, logNames)
}

func logNames(m edgeistry.Manifest) (names []string) {
	for _, l := range m.Logs {
		names = append(names, l.Name)
	}
	return names
}

func (c *cli) completeTarget(word string, own bool, names func(edgeistry.Manifest) []string) ([]string, cobra.ShellCompDirective) {
	service, _, found := strings.Cut(word, "/")
	if !found {
		var words []string
		for _, name := range c.serviceNames() {
			words = append(words, name+"/")
		}
		if own {
			words = append(words, names(c.manifest(state.OwnName))...)
		}
		words, directive := offer(words)
		return words, directive | cobra.ShellCompDirectiveNoSpace
	}
	var words []string
	for _, name := range names(c.manifest(service)) {
		words = append(words, service+"/"+name)
	}
	return offer(words)
}

// manifest returns what a service offers: a device's from the state directory, others' from the running node.
func (c *cli) manifest(service string) (m edgeistry.Manifest) {
	h, err := c.openHome()
	if err != nil {
		return m
	}
	id, err := h.Names.Service(service)
	if err != nil {
		return m
	}
	devices, _ := h.Devices.All()
	for _, d := range devices {
		if d.Service == id {
			return d.Manifest
		}
	}
	c.quickly(func(ctx context.Context, client *api.Client) {
		if found, err := client.Resolve(ctx, service); err == nil {
			m = found.Manifest
		}
	})
	return m
}

// completeWish offers the capability or service of the first argument, then the words of a wish with the names of that service.
func (c *cli) completeWish(subject complete, service func(string) string) complete {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return subject(cmd, args, word)
		}
		words := []string{"read", "follow", "call", "append", "until", "from", "for", "and"}
		m := c.manifest(service(args[0]))
		words = append(words, logNames(m)...)
		for _, f := range m.Functions {
			words = append(words, f.Name)
		}
		return offer(words)
	}
}

// beforeSlash returns the service of a keychain name.
func beforeSlash(name string) string {
	service, _, _ := strings.Cut(name, "/")
	return service
}

// completeFlags offers values for flags, the same wherever a flag of that name stands.
func (c *cli) completeFlags(cmd *cobra.Command) {
	fixed := func(words ...string) complete {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return offer(words) }
	}
	times := fixed("today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "2h", "1d", "1w")
	for name, f := range map[string]complete{
		"cap": c.completeNames, "guard": c.completeNames,
		"on": c.completeLogs,
		"to": func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return offer(logNames(c.manifest(state.OwnName)))
		},
		"audience":  func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return offer(c.peers()) },
		"peer":      func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return offer(c.peers()) },
		"as":        fixed("u8", "u16", "u32", "i8", "i16", "i32", "u16le", "u32le", "i16le", "i32le"),
		"log-level": fixed("debug", "info", "warn", "error"),
		"until":     times, "from": times, "at": times,
	} {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Value.Type() != "int64" { // --from of a log is a sequence
			_ = cmd.RegisterFlagCompletionFunc(name, f) // it fails only for a flag that is not there
		}
	}
}
