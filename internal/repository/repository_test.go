package repository

import (
	"os"
	"testing"
)

func TestPath(t *testing.T) {
	if _, err := os.Stat(Path(t, "internal", "repository", "repository.go")); err != nil {
		t.Error(err)
	}
}
