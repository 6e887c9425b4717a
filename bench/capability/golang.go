package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

const goRuns = 5

// goFigure is the fastest of goRuns runs of one benchmark: what the machine's other work disturbs least.
type goFigure struct {
	ns     float64
	allocs float64
}

var goLine = regexp.MustCompile(`^BenchmarkFigure(\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:\s+\d+ B/op\s+(\d+) allocs/op)?`)

// measureGo runs the benchmarks of package capability that are named Figure, all in one process.
func measureGo(ctx context.Context) (map[string]goFigure, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkFigure", "-benchtime", "0.3s", "-count", strconv.Itoa(goRuns), "./capability")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench: %w\n%s", err, out)
	}
	return parseGo(string(out))
}

func parseGo(out string) (map[string]goFigure, error) {
	best := map[string]goFigure{}
	for line := range strings.Lines(out) {
		m := goLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		f := goFigure{ns: ns}
		if m[3] != "" {
			if f.allocs, err = strconv.ParseFloat(m[3], 64); err != nil {
				return nil, err
			}
		}
		if was, known := best[m[1]]; !known || ns < was.ns {
			best[m[1]] = f
		}
	}
	for _, name := range []string{"Raw2", "Raw4", "Raw10", "Sign", "Verify2", "SessionRequest", "RSASign", "RSAVerify", "ECDSASign", "ECDSAVerify"} {
		if _, measured := best[name]; !measured {
			return nil, fmt.Errorf("no BenchmarkFigure%s in the output:\n%s", name, out)
		}
	}
	return best, nil
}
