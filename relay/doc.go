// Package relay lets nodes that nobody can dial take part in a mesh: nodes behind NATs, and devices
// that roam.
//
// A node that can be reached runs a Service: libp2p's circuit relay v2 with limits that are made
// for a mesh and shown to people, where libp2p's defaults end a circuit after 128 KiB or 2 minutes.
// A node that cannot be reached runs a Client: it keeps a reservation at each relay it is given and
// returns the addresses by which others reach it through them. Describe reports how this node is
// connected to a peer. A relay sees who talks with whom and how much; it can read and change
// nothing, because the two ends encrypt between themselves.
//
// The Client promises to renew before a reservation ends, to try again for ever with backoff, and
// to show only addresses of reservations that hold. It does not choose relays: it is given them,
// and keeps to those that offer the protocol.
//
//	client, err := relay.NewClient(host, relay.ClientConfig{Relays: seeds})
//	...
//	defer client.Close()
//	addrs := client.CircuitAddrs() // for the host's AddrsFactory and the service records
//	fmt.Println(client.Status())   // relayed through 12D3Koo...
package relay
