// Package figures collects what the benchmarks measure: a table for people, and bench/out/NAME.json for programs.
package figures

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// Figure is one measured value. Names are dotted and stable; docs/guide/figures.md lists them.
type Figure struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Peer      string  `json:"peer,omitempty"` // what was measured beside it in the same run
	PeerValue float64 `json:"peer_value,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"` // Value / PeerValue
	How       string  `json:"how"`             // command and conditions
}

// Against sets the peer and the ratio.
func (f Figure) Against(peer string, value float64) Figure {
	f.Peer, f.PeerValue = peer, value
	if value != 0 {
		f.Ratio = f.Value / value
	}
	return f
}

// Write stores the figures as dir/name.json and prints them as a table.
func Write(out io.Writer, dir, name string, figures []Figure) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "name\tvalue\tunit\tpeer\tpeer value\tratio")
	for _, f := range figures {
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%s\t", f.Name, f.Value, f.Unit, f.Peer)
		if f.Peer != "" {
			fmt.Fprintf(w, "%.4g\t%.3g", f.PeerValue, f.Ratio)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), append(data, '\n'), 0o644)
}

// Quantile returns the q-quantile (0..1) of the samples, nearest rank.
func Quantile(samples []time.Duration, q float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
