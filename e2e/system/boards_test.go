package system

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// TestBoards runs the 32-bit boards in QEMU beside a node: claim, a narrowed capability, the log, and a power cut.
func TestBoards(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	dir, bin := t.TempDir(), harness.Built(root)
	node := startNode(t, ctx, dir, "edge", onLoopback...)
	for name, machine := range map[string]harness.Machine{"lx106": bin.LX106, "cortexm3": bin.CortexM3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			board, err := harness.NewBoard(ctx, machine, bin.Posix, dir, name)
			if err != nil {
				t.Fatal(err)
			}
			checkBoard(t, ctx, node, board, name)
		})
	}
}

func checkBoard(t *testing.T, ctx context.Context, node *harness.Node, board *harness.Board, name string) {
	call := func(percent string, wantCode int) (result api.CallResult) {
		t.Helper()
		r := node.CLI(ctx, "call", name+"/valve", percent, "--cap", name+"/guest", "--json")
		if err := json.Unmarshal(r.Stdout, &result); err != nil || r.Code != wantCode || !result.Tagged {
			t.Fatalf("valve %s: exit code %d, %+v, want %d and an answer by the device\n%s", percent, r.Code, result, wantCode, r.Stderr)
		}
		return result
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\nthe board's output:\n%s", err, board.Tail())
		}
	}

	boot, err := board.Start(ctx)
	if err != nil || boot != 1 {
		t.Fatalf("a new board starts: boot %d, %v, want 1", boot, err)
	}
	t.Cleanup(func() {
		if err := board.Kill(); err != nil {
			t.Error(err)
		}
	})
	must(node.CLI(ctx, "device", "claim", board.Setup.Text(), "--link", board.Link, "--name", name).Err())
	must(node.CLI(ctx, "cap", "attenuate", name+"/owner", "--call", "valve", "--arg", "0..30", "--read", "temperature", "--save", name+"/guest").Err())

	if got := call("20", 0); got.Code != "2.04" || len(got.Payload) != 1 || got.Payload[0] != 20 {
		t.Errorf("valve 20: %+v, want 2.04 and the position", got)
	}
	if _, err := board.Wait(ctx, 0, `^valve 20$`); err != nil {
		t.Error(err)
	}
	if got := call("90", 4); got.Code != "4.03" || got.By != "device" || got.Frame == 0 || got.Constraint == "" {
		t.Errorf("valve 90: %+v, want 4.03 by the device, with the frame and the constraint", got)
	}
	if moved := board.Since(0, `^valve`); len(moved) != 1 {
		t.Errorf("the board moved the valve: %q, want once", moved)
	}

	// A reading every 10 s; the node is told of the first one by the board's news.
	must(harness.Until(ctx, 25*time.Second, func() error {
		var log api.ReadResult
		if err := node.JSON(ctx, &log, "log", "read", name+"/temperature", "--cap", name+"/guest"); err != nil {
			return err
		}
		if log.By != "device" || len(log.Entries) == 0 || len(log.Entries[0].Payload) != 2 {
			return fmt.Errorf("temperature: %+v, want readings of 2 bytes from the device", log)
		}
		return nil
	}))

	// Garbage on the board's own port: it has no socket buffers, so it loses some, and goes on.
	flood(t, ctx, strings.TrimPrefix(board.Link, "udp:"), 10_000, 1)
	must(harness.Until(ctx, 20*time.Second, func() error { return node.CLI(ctx, "call", name+"/valve", "30", "--cap", name+"/guest").Err() }))

	// A power cut. What the node had asked in the old session is refused, as it might have run; the next call opens a new one.
	must(board.Kill())
	if boot, err = board.Start(ctx); err != nil || boot != 2 {
		t.Fatalf("the board starts again: boot %d, %v, want 2", boot, err)
	}
	must(harness.Until(ctx, 20*time.Second, func() error { return node.CLI(ctx, "call", name+"/valve", "10", "--cap", name+"/guest").Err() }))
	if _, err := board.Wait(ctx, 0, `^valve 10$`); err != nil {
		t.Error(err)
	}
	call("90", 4)
	t.Logf("%s: %s", name, strings.Join(board.Since(0, `^stack`), ", "))
}
