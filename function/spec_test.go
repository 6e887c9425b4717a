package function

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/internal/repository"
)

// Each number of docs/spec/function.md that the code has too stands there as the code has it.
func TestNumbersOfTheSpecification(t *testing.T) {
	cfg, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	pauses := make([]string, cfg.Attempts-1)
	for i := range pauses {
		pauses[i] = fmt.Sprint((cfg.Backoff << i).Milliseconds())
	}
	repository.PageSays(t, "function.md",
		fmt.Sprintf("| module | %d KiB, all of a node %d MiB |", wasm.MaxModule>>10, cfg.MaxModules>>20),
		fmt.Sprintf("| memory | %d pages of 64 KiB; the deployment may allow 1 to %d |", DefaultMemoryPages, MaxMemoryPages),
		fmt.Sprintf("a deadline (%d ms; 1 ms to %d s)", DefaultTimeout.Milliseconds(), int(MaxTimeout.Seconds())),
		fmt.Sprintf("and %d runs at once on a node", cfg.Concurrency),
		fmt.Sprintf("%d functions a node, window at most %d", cfg.MaxDeployments, MaxWindow),
		fmt.Sprintf("is tried again after %s ms", strings.Join(pauses, ", ")),
	)
}
