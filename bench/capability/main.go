// Bench/capability sets what the construction costs beside what others cost: on an ATmega328P in cycles, on the ESP8266's core and a Cortex-M3 in
// instructions, in Go in nanoseconds, on the wire in bytes. The counts are made by `make -C firmware bench-count bench-baseline` before it runs. It
// writes bench/out/capability.json; with -check it only compares the counts that repeat exactly with bench/capability/counts.txt.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/edgeistry/edgeistry/bench/figures"
)

func main() {
	check := flag.Bool("check", false, "compare what repeats exactly with the table, and nothing else")
	update := flag.Bool("update", false, "with -check: bring the table up to date")
	page := flag.String("page", "", "put the tables of the last run into this page, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	run := func() error { return report(ctx) }
	if *check {
		run = func() error { return compareTable(*update) }
	}
	if *page != "" {
		run = func() error { return writePage(*page) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-capability:", err)
		os.Exit(1)
	}
}

var (
	counts = filepath.Join("build", "firmware", "bench")
	table  = filepath.Join("bench", "capability", "counts.txt")
)

func compareTable(update bool) error {
	now, err := readOurs(counts)
	if err != nil {
		return err
	}
	if update {
		return now.write(table)
	}
	was, err := readTable(table)
	if err != nil {
		return err
	}
	lines := compare(was, now)
	for _, line := range lines {
		fmt.Println(line)
	}
	if len(lines) > 0 {
		return fmt.Errorf("%d of %d counts are not those of %s; if that is meant: make counts UPDATE=1", len(lines), len(now), table)
	}
	fmt.Printf("%d counts are those of %s\n", len(now), table)
	return nil
}

func report(ctx context.Context) error {
	ours, err := readOurs(counts)
	if err != nil {
		return err
	}
	theirs, err := readBaselines(counts)
	if err != nil {
		return err
	}
	inGo, err := measureGo(ctx)
	if err != nil {
		return err
	}
	return figures.Write(os.Stdout, filepath.Join("bench", "out"), "capability", collect(ours, theirs, inGo))
}
