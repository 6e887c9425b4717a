package main

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietZone is the light border around a QR code, in modules (ISO/IEC 18004).
const quietZone = 4

// terminalQR draws a QR code with two modules a character. With colour it is dark on light on every terminal; without,
// it is right on a dark background.
func terminalQR(text string, colour bool) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("draw QR code of %d characters: %w", len(text), err)
	}
	light := func(x, y int) bool { return !code.Black(x-quietZone, y-quietZone) }
	side := code.Size + 2*quietZone
	var b strings.Builder
	for y := 0; y < side; y += 2 {
		if colour {
			b.WriteString("\x1b[40;97m")
		}
		for x := range side {
			upper, lower := light(x, y), y+1 < side && light(x, y+1)
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		if colour {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
