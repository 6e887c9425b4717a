package api

// ReserveRequest gives the cells of a service to the counts of a capability. Only the node that owns the service can.
type ReserveRequest struct {
	Capability string `json:"capability"`           // "ecap1_..." or a keychain name
	Force      bool   `json:"force,omitempty"`      // also a cell that another capability was given
	TimeoutMS  int    `json:"timeout_ms,omitempty"` // 0: 30 s
}

// ReserveResult says which cells count now.
type ReserveResult struct {
	Service string `json:"service"`
	Cells   []Cell `json:"cells"`
}

// Cell is where a service counts the requests that one frame lets through.
type Cell struct {
	Frame    int   `json:"frame"` // of the capability, from 1
	Cell     uint8 `json:"cell"`
	Times    uint8 `json:"times"`
	Reserved bool  `json:"reserved"` // new; else it was this capability's before, and its count goes on
}
