// Package repository finds files of this repository for tests, which run in the folder of their package.
package repository

import (
	"os"
	"path/filepath"
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
