// Command crosscheck type-checks a package, and all that it imports, for other platforms, from their sources. That takes a fraction of the time of building
// them, and finds what does not compile there; what does not link is left to the builds.
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: crosscheck PACKAGE OS/ARCH[/ARM]...\nexample: crosscheck ./cmd/edgeistry linux/arm/7 windows/amd64")
		os.Exit(2)
	}
	failed := false
	for _, platform := range os.Args[2:] {
		n, err := check(os.Args[1], platform)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", platform, err)
			failed = true
			continue
		}
		fmt.Printf("type-checked %s: %d packages\n", platform, n)
	}
	if failed {
		os.Exit(1)
	}
}

// check returns how many packages there are, and the first error of each that has one.
func check(pattern, platform string) (int, error) {
	parts := strings.SplitN(platform, "/", 3)
	if len(parts) < 2 {
		return 0, fmt.Errorf("want OS/ARCH or OS/arm/VERSION")
	}
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS="+parts[0], "GOARCH="+parts[1])
	if len(parts) == 3 {
		env = append(env, "GOARM="+parts[2])
	}
	roots, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax, Env: env}, pattern)
	if err != nil {
		return 0, err
	}
	n := 0
	var bad []string
	packages.Visit(roots, nil, func(p *packages.Package) {
		n++
		if len(p.Errors) > 0 {
			bad = append(bad, p.Errors[0].Error())
		}
	})
	if len(bad) > 0 {
		return n, fmt.Errorf("%d of %d packages do not compile:\n%s", len(bad), n, strings.Join(bad, "\n"))
	}
	return n, nil
}
