package capability

// chain is what a verifier derives of one part.
type chain struct {
	keys [MaxFrames + 1][keySize]byte // keys[i]: the key before frame i + 1; the last one after all
	ks   [keySize]byte                // ks' of the part
}

// derive walks the frames from the branch key to the session key.
func (c *chain) derive(kb BranchKey, p *proof, part *part) {
	c.keys[0] = kb
	c.keys[1] = headKey(kb, part.header.encode(), part.frames[0])
	n := part.nframes
	for i := 1; i < n; i++ {
		c.keys[i+1] = frameKey(c.keys[i], part.frames[i])
	}
	c.ks = sessionKey(c.keys[n], p.nonce, p.cookie)
}

// wrongDischarge finds the first discharge that is wrong or that no frame of its part demands, and gives the number of it as a
// Denial has it; 0: none is.
func wrongDischarge(parts []part, chains *[MaxParts]chain) int {
	for i := range parts {
		for k := range parts[i].discharges {
			d := &parts[i].discharges[k]
			if d.binding != nil && !parts[i].discharged(k, &chains[i]) {
				return partStep*i + dischargeStep + k + 1
			}
		}
	}
	return 0
}
