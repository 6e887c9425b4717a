package api

import "time"

// Status is what GET /v1/status answers.
type Status struct {
	Node    string `json:"node"` // 12D3KooW...
	Mesh    string `json:"mesh"`
	Version string `json:"version"`
	Home    string `json:"home"`
	PID     int    `json:"pid"`
	API     string `json:"api"`            // http://127.0.0.1:7780
	CoAP    string `json:"coap,omitempty"` // 127.0.0.1:5683; empty: no port
	Service string `json:"service"`        // the node's own service
	Ready   bool   `json:"ready"`          // it serves its site
	// InMesh reports whether the node takes part in its mesh now; MeshProblem says what is missing.
	InMesh      bool   `json:"in_mesh"`
	MeshProblem string `json:"mesh_problem,omitempty"`
	// Standing is "joined" when a node of the mesh is connected, "alone" when none is configured, "joining" otherwise.
	Standing  string    `json:"standing"`
	Addrs     []string  `json:"addrs"` // as told to others
	Relay     Relay     `json:"relay"`
	Twin      *Twin     `json:"twin,omitempty"` // another node that runs with this node's identity
	Streams   Streams   `json:"streams"`
	Peers     []Peer    `json:"peers"`
	Seeds     []Seed    `json:"seeds"`
	Services  []Service `json:"services"`
	Functions int       `json:"functions"`
	Started   time.Time `json:"started"`
	ReadyMS   float64   `json:"ready_ms"` // from start to ready
}

// Relay says how others reach this node, and whether it relays for others.
type Relay struct {
	// State is "listening" (it has addresses of its own, and may be relayed too), "relayed" (relays only), or "unreachable".
	State   string   `json:"state"`
	Through []string `json:"through,omitempty"` // peer IDs of the relays that hold a reservation
	Text    string   `json:"text"`              // "relayed through 12D3KooW..."
	Serving bool     `json:"serving"`
	Limits  string   `json:"limits,omitempty"` // of what it relays for others
}

// Streams counts the streams for requests that other nodes opened to this one.
type Streams struct {
	Open   int `json:"open"`
	Proved int `json:"proved"` // of these, streams of peers that used a capability here
	// Refused and Dropped count since the start: streams that found no place, and streams of peers that proved nothing, closed
	// to make room or because they were idle.
	Refused uint64 `json:"refused"`
	Dropped uint64 `json:"dropped"`
}

// Twin is another node that runs with this node's identity, most likely on a copy of its state directory.
type Twin struct {
	Since time.Time `json:"since"` // when it was noticed first
	Seen  time.Time `json:"seen"`
	Addrs []string  `json:"addrs"` // where its records say that it is
}

// Seed is a node to join the mesh by.
type Seed struct {
	ID        string `json:"id"`
	Connected bool   `json:"connected"`
	Failures  int    `json:"failures"` // attempts that failed in a row
	// Cause is why it is not connected as a member: "refused", "other node", "other mesh", "not a node", "no such host", "no
	// route", "no answer" or "other". Empty: it is connected, or was not tried yet.
	Cause   string `json:"cause,omitempty"`
	Problem string `json:"problem,omitempty"` // the same in a line
}

// Peer is a connected node.
type Peer struct {
	ID    string  `json:"id"`
	Addr  string  `json:"addr"`
	Conn  string  `json:"conn"`             // "direct" or "relayed through 12D3KooW..."
	RTTMS float64 `json:"rtt_ms,omitempty"` // 0: not measured yet
}

// PingRequest asks for the way to a node, by its ID or by a service it is home to.
type PingRequest struct {
	Target string `json:"target"`
	Count  int    `json:"count,omitempty"` // 1 to 20; 0: 1
}

// PingResult says how a node is reached.
type PingResult struct {
	Peer    string    `json:"peer"`
	Service string    `json:"service,omitempty"`
	Conn    string    `json:"conn"`          // "direct" or "relayed through 12D3KooW..."
	Via     string    `json:"via,omitempty"` // the relay's peer ID
	Addr    string    `json:"addr"`
	RTTMS   float64   `json:"rtt_ms"` // the least of all
	All     []float64 `json:"all_ms"`
	// ServiceMS is how long the service itself took to answer, its home included; 0: it was not asked or did not answer.
	ServiceMS      float64 `json:"service_ms,omitempty"`
	ServiceProblem string  `json:"service_problem,omitempty"` // why the service did not answer
}
