// The demo is the main job of Edgeistry on real parts: three nodes as processes, an ATmega328P in its simulator on a serial line, a device on
// UDP; a capability is shared with the network off and used from another site, a guard's word is needed and given, attacks are refused by
// the device, the log flows to the cloud, nothing is lost when a node is killed, and what was shared is revoked while the device is away.
// Every step checks that what it shows is so, refusals too. `make demo` runs it; the test beside it asserts the rest.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	keep := flag.Bool("keep", false, "leave the mesh up at the end, until Ctrl-C")
	root := flag.String("root", ".", "the repository, with build/ in it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, *root, *keep))
}

func run(ctx context.Context, root string, keep bool) int {
	dir, err := os.MkdirTemp("", "edgeistry-demo-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	d := newDemo(newPrinter(os.Stdout, dir), root, dir)
	err = d.play(ctx)
	switch {
	case err == nil && keep:
		d.goOn()
		<-ctx.Done()
	case err == nil:
		d.out.text("make demo KEEP=1 leaves the mesh up to play with.")
	}
	if closeErr := d.close(); closeErr != nil && err == nil {
		err = closeErr
	}
	code := 0
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted; every process has ended")
		code = 130
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nThe demo failed: %v\n\nThe logs and homes are kept in %s\n", err, dir)
		return 1
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
