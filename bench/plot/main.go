// Plot draws docs/guide/capability-figures.svg from bench/out/capability.json: what signatures and capabilities take on two cores, on a scale of
// powers of ten. A module of its own, so that nothing else carries a plotting library.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot FIGURES.json PICTURE.svg|.png")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

type figure struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	PeerValue float64 `json:"peer_value"`
}

// row is one line of a panel: a figure in ms, and what was published of it.
type row struct {
	label  string
	figure string
	per    float64 // of the figure in a ms
	ours   bool
}

// From below.
var esp8266 = []row{
	{"request in a session", "lx106.session_request.ms", 1, true},
	{"capability: sign", "lx106.sign.ms", 1, true},
	{"capability: verify", "lx106.verify2.ms", 1, true},
	{"session: open", "lx106.open2.ms", 1, true},
	{"ECDSA P-256: sign", "lx106.p256_sign.ms", 1, false},
	{"ECDSA P-256: verify", "lx106.p256_verify.ms", 1, false},
	{"RSA-2048: verify", "lx106.rsa2048_verify.ms", 1, false},
	{"RSA-2048: sign", "lx106.rsa2048_sign.ms", 1, false},
}

const perMS = 16000 // cycles of the ATmega328P

var atmega = []row{
	{"request in a session", "avr.session_request.cycles", perMS, true},
	{"capability: sign", "avr.sign.cycles", perMS, true},
	{"capability: verify", "avr.verify2.cycles", perMS, true},
	{"session: open", "avr.open2.cycles", perMS, true},
	{"ECDSA P-256: sign", "avr.p256_sign.cycles", perMS, false},
	{"ECDSA P-256: verify", "avr.p256_verify.cycles", perMS, false},
}

var (
	ink    = color.RGBA{0x33, 0x33, 0x33, 0xff}
	faint  = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
	green  = color.RGBA{0x1b, 0x7f, 0x4d, 0xff}
	orange = color.RGBA{0xd9, 0x6b, 0x0b, 0xff}
)

func run(from, to string) error {
	plot.DefaultFont.Typeface, plot.DefaultFont.Variant = "Liberation", "Sans"
	plotter.DefaultFont = plot.DefaultFont
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var list []figure
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	byName := map[string]figure{}
	for _, f := range list {
		byName[f.Name] = f
	}
	upper, err := panel("ESP8266's core at 80 MHz: instructions in QEMU x CPI 1.34", esp8266, byName)
	if err != nil {
		return err
	}
	lower, err := panel("ATmega328P at 16 MHz: cycles in libsimavr (P-256 on an ATmega1284P)", atmega, byName)
	if err != nil {
		return err
	}
	return save(to, upper, lower)
}

func panel(title string, rows []row, byName map[string]figure) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font.Size = vg.Points(12)
	p.Title.Padding = vg.Points(6)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	p.X.Label.Text = "milliseconds"
	p.X.Min, p.X.Max = 0.1, 100_000
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width = 0, 0
	p.Y.Tick.Label.Font.Size, p.X.Tick.Label.Font.Size = vg.Points(10), vg.Points(9)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = faint, faint
	p.Add(grid)

	var ticks []plot.Tick
	var ours, theirs, published plotter.XYs
	var labels plotter.XYLabels
	for i, r := range rows {
		f, known := byName[r.figure]
		if !known || f.Value <= 0 {
			return nil, fmt.Errorf("no figure %s", r.figure)
		}
		y, ms := float64(i), f.Value/r.per
		ticks = append(ticks, plot.Tick{Value: y, Label: r.label})
		at := plotter.XY{X: ms, Y: y}
		if r.ours {
			ours = append(ours, at)
		} else {
			theirs = append(theirs, at)
		}
		if f.PeerValue > 0 && r.per == 1 && r.figure != "lx106.open2.ms" {
			published = append(published, plotter.XY{X: f.PeerValue, Y: y})
			at.X = max(at.X, f.PeerValue)
		}
		labels.XYs = append(labels.XYs, at)
		labels.Labels = append(labels.Labels, number(ms))
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	if err := points(p, "capability (ours)", ours, draw.CircleGlyph{}, green); err != nil {
		return nil, err
	}
	if err := points(p, "BearSSL, same core", theirs, draw.BoxGlyph{}, orange); err != nil {
		return nil, err
	}
	if len(published) > 0 {
		if err := points(p, "published", published, draw.RingGlyph{}, ink); err != nil {
			return nil, err
		}
	}
	values, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	values.Offset = vg.Point{X: vg.Points(9), Y: -vg.Points(3.5)}
	for i := range values.TextStyle {
		values.TextStyle[i].Font.Size, values.TextStyle[i].Color = vg.Points(9), ink
	}
	p.Add(values)
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	p.Legend.Padding, p.Legend.XOffs, p.Legend.YOffs = vg.Points(3), -vg.Points(8), vg.Points(6)
	return p, nil
}

func points(p *plot.Plot, name string, at plotter.XYs, shape draw.GlyphDrawer, c color.Color) error {
	s, err := plotter.NewScatter(at)
	if err != nil {
		return err
	}
	s.GlyphStyle = draw.GlyphStyle{Shape: shape, Radius: vg.Points(4.5), Color: c}
	p.Add(s)
	p.Legend.Add(name, s)
	return nil
}

func number(ms float64) string {
	switch {
	case ms < 1:
		return fmt.Sprintf("%.2f", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	}
	if ms < 1000 {
		return fmt.Sprintf("%.0f", ms)
	}
	return fmt.Sprintf("%d,%03d", int(ms)/1000, int(ms)%1000)
}

// decades are ticks at the powers of ten, written out.
type decades struct{}

func (decades) Ticks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	for v := 1e-3; v <= most; v *= 10 {
		if v >= least*0.999 {
			ticks = append(ticks, plot.Tick{Value: v, Label: tick(v)})
		}
	}
	return ticks
}

func tick(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("%g", v)
	}
	return fmt.Sprintf("%.0f,000", v/1000)
}

func save(to string, upper, lower *plot.Plot) error {
	const width, height = 20 * vg.Centimeter, 17 * vg.Centimeter
	var canvas interface {
		vg.CanvasSizer
		vg.CanvasWriterTo
	} = vgsvg.New(width, height)
	if filepath.Ext(to) == ".png" {
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(110))}
	}
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadY: vg.Points(14), PadTop: vg.Points(6), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(12)}
	for i, c := range plot.Align([][]*plot.Plot{{upper}, {lower}}, tiles, page) {
		[]*plot.Plot{upper, lower}[i].Draw(c[0])
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return err
	}
	// Where there is no Liberation Sans, fonts of the same widths.
	picture := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif"))
	return os.WriteFile(to, picture, 0o644)
}
