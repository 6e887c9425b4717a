package main

import "fmt"

// showFrames prints one row a frame, then what each request costs.
func (c *cli) showFrames(in inspection) {
	rows := [][]string{{"FRAME", "ADDED BY", "ALLOWS"}}
	for i, frame := range in.Frames {
		rows = append(rows, []string{fmt.Sprint(i + 1), in.AddedBy[i], frame})
	}
	c.printf("\n")
	c.table(rows)
	k := in.Cost
	c.printf("\n")
	c.table([][]string{
		{"REQUEST", "BYTES", "HMACS", "COMPRESSIONS", "AVR CYCLES", "AVR MS"},
		{"first", fmt.Sprint(k.OpenBytes), fmt.Sprint(k.OpenHMACs), fmt.Sprint(k.OpenCompressions), fmt.Sprint(k.OpenCycles), number(k.OpenMS)},
		{"later", fmt.Sprint(k.RequestBytes), fmt.Sprint(k.RequestHMACs), fmt.Sprint(k.RequestCompressions), fmt.Sprint(k.RequestCycles), number(k.RequestMS)},
		{"private", plus(k.PrivateBytes), plus(k.PrivateHMACs), plus(k.PrivateCompressions), plus(k.PrivateCycles), "+" + number(k.PrivateMS)},
	})
}

func plus(n int) string { return fmt.Sprintf("+%d", n) }
