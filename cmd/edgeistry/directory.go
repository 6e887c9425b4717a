package main

import (
	"errors"
	"os"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/state"
)

// directory returns the path of the home: --home, else EDGEISTRY_HOME, else ~/.edgeistry.
func (c *cli) directory() (string, error) {
	if c.home != "" {
		return c.home, nil
	}
	dir, err := state.DefaultDir()
	if err != nil {
		return "", usagef("%w", err).Try("--home DIRECTORY")
	}
	return dir, nil
}

// openHome reads the home. What is wrong with it is said with what to do.
func (c *cli) openHome() (*state.State, error) {
	dir, err := c.directory()
	if err != nil {
		return nil, err
	}
	h, err := state.Open(dir)
	switch {
	case err == nil:
		return h, nil
	case errors.Is(err, state.ErrNoState):
		return nil, notFoundf("%s is not the home of a node", dir).Try("edgeistry init%s", c.homeFlag())
	case errors.Is(err, os.ErrPermission):
		return nil, failedf("%w", err).Try("run as the user who owns %s", dir)
	}
	return nil, failedf("%w", err)
}

// homeFlag repeats --home in an advice where it is needed for the advice to work.
func (c *cli) homeFlag() string {
	if c.home == "" {
		return ""
	}
	if env, ok := c.lookupEnv(state.EnvDir); ok && env == c.home {
		return ""
	}
	return " --home " + c.home
}

// token reads what a command line gives as capability: a keychain name, a token text, or "-" for standard input.
func (c *cli) token(text string) (*capability.Capability, error) {
	switch {
	case text == "-":
		raw, err := readBounded("-", c.stdin, 1024)
		if err != nil {
			return nil, err
		}
		return parseToken(string(raw))
	case looksLikeToken(text):
		return parseToken(text)
	}
	h, err := c.openHome()
	if err != nil {
		return nil, err
	}
	return keychainEntry(h, text)
}

func keychainEntry(h *state.State, name string) (*capability.Capability, error) {
	if err := state.CheckCapabilityName(name); err != nil {
		return nil, usagef("%w", err).Try("edgeistry cap ls  (or give the token's text, or - for standard input)")
	}
	found, err := h.Keychain.Get(name)
	if errors.Is(err, state.ErrNotFound) {
		return nil, notFoundf("%w", err).Try("edgeistry cap ls")
	}
	if err != nil {
		return nil, failedf("%w", err)
	}
	return found, nil
}
