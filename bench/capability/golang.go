package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Many short runs rather than a few long ones: on a machine that has other work, some fall between that.
const (
	goRounds = 4
	goRuns   = 40
	goTime   = "2ms"
)

// goFigure is the fastest run of one benchmark, out of goRuns in each round: what the machine's other work disturbs least.
type goFigure struct {
	ns     float64
	allocs float64
}

var goLine = regexp.MustCompile(`^BenchmarkFigure(\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:\s+\d+ B/op\s+(\d+) allocs/op)?`)

// measureGo runs the benchmarks of package capability that are named Figure, all of them in each round, so that a slow minute is slow for all.
func measureGo(ctx context.Context) (figures map[string]goFigure, err error) {
	dir, err := os.MkdirTemp("", "edgeistry-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "capability.test")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./capability").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	var all strings.Builder
	for range goRounds {
		out, err := exec.CommandContext(ctx, program, "-test.run", "^$", "-test.bench", "^BenchmarkFigure", "-test.benchtime", goTime, "-test.count", strconv.Itoa(goRuns)).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("benchmarks of capability: %w\n%s", err, out)
		}
		all.Write(out)
	}
	return parseGo(all.String())
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
