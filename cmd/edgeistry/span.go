package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/capability/phrase"
)

// spanValue is the value of a flag that takes a span of time. It reads what a wish reads (docs/spec/phrase.md), so that a span
// means the same wherever it stands.
type spanValue struct{ to *time.Duration }

func newSpan(to *time.Duration, value time.Duration) spanValue {
	*to = value
	return spanValue{to}
}

// spanVar makes a flag for a span of time.
func spanVar(cmd *cobra.Command, to *time.Duration, name string, value time.Duration, usage string) {
	cmd.Flags().Var(newSpan(to, value), name, usage)
}

func (s spanValue) Set(text string) error {
	if strings.HasPrefix(text, "-") {
		return fmt.Errorf("%.60s is negative", text)
	}
	d, err := phrase.ParseSpan(text)
	if err == nil {
		*s.to = d
	}
	return err
}

func (s spanValue) String() string {
	if s.to == nil { // pflag asks a zero value
		return "0"
	}
	return phrase.FormatSpan(*s.to)
}

func (s spanValue) Type() string { return "duration" }
