package client

// Sessions returns how many sessions are kept.
func (c *Caller) Sessions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}
