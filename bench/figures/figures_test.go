package figures

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	f := Figure{Name: "a.b", Value: 3, Unit: "ms", How: "make bench"}.Against("raw", 2)
	if err := Write(&out, dir, "x", []Figure{f}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "a.b") || !strings.Contains(out.String(), "1.5") {
		t.Errorf("table = %q, want the name and the ratio 1.5", out.String())
	}
	data, err := os.ReadFile(filepath.Join(dir, "x.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got []Figure
	if err := json.Unmarshal(data, &got); err != nil || len(got) != 1 || got[0] != f {
		t.Fatalf("json = %s, %v, want %+v", data, err, f)
	}
}

func TestQuantile(t *testing.T) {
	s := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := Quantile(s, q); got != want {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if s[0] != 5 {
		t.Error("Quantile reordered its input")
	}
}
