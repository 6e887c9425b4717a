package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (-X main.version=v1.2.3); otherwise the module's own version or commit stands in.
var version string

// build says what binary this is.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildInfo() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value[:min(12, len(s.Value))]
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this binary",
		Example: "  edgeistry version\n  edgeistry version --json",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return c.showVersion() },
	}
}

// versionFlag prints the version, as "version" does. It has no environment variable: EDGEISTRY_VERSION is a name that
// deployments use for other things.
const versionFlag = "version"

func (c *cli) showVersion() error {
	b := buildInfo()
	return c.show(b, func() {
		c.printf("edgeistry %s (%s, %s", b.Version, b.Go, b.Platform)
		if b.Commit != "" {
			c.printf(", commit %s", b.Commit)
		}
		if b.Modified {
			c.printf(", modified")
		}
		c.printf(")\n")
	})
}
