package wasm

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/internal/repository"
)

// Each bound of docs/spec/function.md that is checked here stands there as the code has it.
func TestBoundsOfTheSpecification(t *testing.T) {
	raw, err := os.ReadFile(repository.Path(t, "docs", "spec", "function.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(strings.Join(strings.Fields(string(raw)), " "), ",", "")
	for _, want := range []string{
		fmt.Sprintf("| module | %d KiB", MaxModule>>10),
		fmt.Sprintf("one result a function %d parameters |", maxParams),
		fmt.Sprintf("| functions types globals exports segments | %d %d %d %d %d |", maxFunctions, maxTypes, maxGlobals, maxExports, maxSegments),
		fmt.Sprintf("| table | %d elements |", maxTable),
		fmt.Sprintf("| nesting | %d blocks", maxNesting),
		fmt.Sprintf("| locals | %d a function %d in all |", maxLocals, maxLocalsAll),
		fmt.Sprintf("| stack | %d MiB", maxStackBytes>>20),
		fmt.Sprintf("%d times the largest frame", engineDepth),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/spec/function.md lacks %q", want)
		}
	}
}
