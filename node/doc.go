// Package node wires the parts into the process that people run: identity, host, log store, registry, relay, proxy,
// devices, functions, the CoAP port and the HTTP API.
//
// It promises: New has the lock of its home or fails with who has it; it either gives a running node or has closed what
// it started; Close ends everything in reverse order, waits for every goroutine and may be called twice. A node that
// cannot write any more says so and ends; what was acknowledged is on disk, however the process ends. Ready means that
// the host is up, the datastore open, the API served, and the mesh joined (or the node alone by its configuration) and,
// for a node that only relays lead to, that one of them does.
//
// It does not decide anything that the parts decide: what a capability admits, what a record must hold, what a device may
// be asked. docs/spec/api.md lists the HTTP API.
//
//	h, err := home.Open(dir)
//	if err != nil {
//		return err
//	}
//	return node.Run(ctx, h, node.Config{Version: version, Ready: func(s *api.Status) {
//		fmt.Println("ready  node", s.Node)
//	}})
package node
