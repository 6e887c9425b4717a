package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"github.com/edgeistry/edgeistry/capability"
)

// qrFlags say how a token is drawn beside its text.
type qrFlags struct {
	draw bool
	file string
}

func (q *qrFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&q.draw, "qr", false, "draw the token as a QR code too")
	cmd.Flags().StringVar(&q.file, "qr-file", "", "write the token as a QR code to this `FILE`, a .png or .svg that only you may read, and print no secret")
}

// fileAlone reports whether the secret goes to a file and not to the screen.
func (q *qrFlags) fileAlone() bool { return q.file != "" && !q.draw }

// write makes the picture, if one is wanted. A file that exists is not written over: it may be the only copy of another secret.
func (q *qrFlags) write(c *cli, p *capability.Capability) error {
	if q.file == "" {
		return nil
	}
	code, err := encodeQR(p.Text())
	if err != nil {
		return failedf("%w", err)
	}
	var picture []byte
	switch strings.ToLower(filepath.Ext(q.file)) {
	case ".png":
		picture = code.PNG()
	case ".svg":
		picture = svgQR(code)
	default:
		return usagef("--qr-file %s: the name must end in .png or .svg", q.file)
	}
	f, err := os.OpenFile(q.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return failedf("write QR code: %w", err).Try("another file name")
	}
	if _, err = f.Write(picture); err == nil {
		err = f.Close()
	} else {
		_ = f.Close()
	}
	if err != nil {
		_ = os.Remove(q.file)
		return failedf("write QR code: %w", err)
	}
	c.note("wrote %s: who can see it has the permission", q.file)
	return nil
}

func encodeQR(text string) (*qr.Code, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("draw QR code of %d characters: %w", len(text), err)
	}
	code.Scale = 8 // pixels a module in a PNG
	return code, nil
}

// svgQR draws one rectangle for each run of dark modules in a row, dark on light with the quiet zone.
func svgQR(code *qr.Code) []byte {
	side := code.Size + 2*quietZone
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%[3]d" shape-rendering="crispEdges">`+"\n", side, side, side*8)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n"+`<path d="`, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			begin := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > begin {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%[3]dz", begin+quietZone, y+quietZone, x-begin)
			}
		}
	}
	b.WriteString(`"/>` + "\n</svg>\n")
	return []byte(b.String())
}

// quietZone is the light border around a QR code, in modules (ISO/IEC 18004).
const quietZone = 4

// terminalQR draws a QR code with two modules a character. With colour it is dark on light on every terminal; without,
// it is right on a dark background.
func terminalQR(text string, colour bool) (string, error) {
	code, err := encodeQR(text)
	if err != nil {
		return "", err
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
