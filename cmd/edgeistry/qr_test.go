package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTerminalQRHoldsTheLongestToken(t *testing.T) {
	for _, colour := range []bool{false, true} {
		got, err := terminalQR("ecap1_"+strings.Repeat("A", 370), colour)
		if err != nil {
			t.Fatal(err)
		}
		got = strings.NewReplacer("\x1b[40;97m", "", "\x1b[0m", "").Replace(got)
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		side := utf8.RuneCountInString(lines[0])
		if side > 80 {
			t.Errorf("the code is %d characters wide, want at most 80", side)
		}
		if len(lines) != (side+1)/2 {
			t.Errorf("%d lines for a side of %d", len(lines), side)
		}
		for i, line := range lines {
			if utf8.RuneCountInString(line) != side {
				t.Errorf("line %d is %d characters wide, want %d", i, utf8.RuneCountInString(line), side)
			}
		}
		if strings.Trim(lines[0], "█") != "" || strings.Trim(lines[1], "█") != "" {
			t.Error("the quiet zone is not light")
		}
	}
}
