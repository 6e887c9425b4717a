// Package mesh connects a node with the other nodes of its mesh: the libp2p host with its limits, one CoAP stream to each node, and
// the check of connections that may be dead.
//
// It promises: a request goes to the first home of a service that can be reached, at most twice with the same bytes; a connection
// whose peer was killed is closed after seconds, not after libp2p's idle timeout; what a peer may hold open is bounded. It does not
// look up who is home to a service (package dht), and it does not read what it carries.
//
//	h, err := mesh.NewHost(mesh.HostConfig{Key: key, Listen: []string{"/ip4/0.0.0.0/tcp/7776"}})
//	if err != nil {
//		return err
//	}
//	streams := mesh.NewStreams(h, handler, logger)
//	streams.Serve()
//	resp, err := streams.Do(ctx, homes, request)
package mesh
