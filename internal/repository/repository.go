// Package repository finds files of this repository for tests, which run in the folder of their package.
package repository

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Path returns the path of a file below the folder that holds go.mod, relative to the test's folder.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	for up, n := ".", 0; n < 8; up, n = filepath.Join("..", up), n+1 {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			return filepath.Join(append([]string{up}, elem...)...)
		}
	}
	t.Fatal("no go.mod in this folder or above it")
	return ""
}

// PageSays reports an error for each text that a page of docs/spec does not hold, line breaks and repeated spaces apart. Tests
// make the texts from the code's own numbers, so that page and code stay together.
func PageSays(t testing.TB, page string, texts ...string) {
	t.Helper()
	raw, err := os.ReadFile(Path(t, "docs", "spec", page))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(raw)), " ")
	for _, text := range texts {
		if !strings.Contains(words, text) {
			t.Errorf("docs/spec/%s does not say %q, which the code does", page, text)
		}
	}
}
