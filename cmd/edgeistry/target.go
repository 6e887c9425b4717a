package main

import (
	"strings"

	"github.com/edgeistry/edgeistry"
)

// target names something in a service: greenhouse/temperature, k51.../valve; or a log of this node: smoothed.
type target struct {
	service string // local name or service ID; empty: this node itself
	name    string // of the log or function
}

// parseTarget splits SERVICE/NAME. A service's own local name may hold no slash, so the first one separates.
func parseTarget(text string, needService bool) (target, error) {
	service, name, found := strings.Cut(text, "/")
	if !found {
		if needService {
			return target{}, usagef("%.80q is not SERVICE/NAME, like greenhouse/valve", text)
		}
		service, name = "", text
	} else if service == "" {
		return target{}, usagef("%.80q has no service before the slash", text)
	}
	if err := edgeistry.CheckName(name); err != nil {
		return target{}, usagef("%.80q: %w", text, err)
	}
	return target{service, name}, nil
}

func (t target) String() string {
	if t.service == "" {
		return t.name
	}
	return t.service + "/" + t.name
}
