// Package dht is the registry of a mesh: a private Kademlia DHT that maps a service ID to a signed
// service record.
//
// A record says who speaks for a service and where: its home nodes, what it offers, when it sleeps.
// docs/spec/record.md draws it byte by byte; Seal and Open are the codec, Validator is what every
// node of the mesh applies to what others send it. Registry joins the mesh named in its Config,
// keeps the node's own records published, and resolves others.
//
// What it promises:
//
//   - It works with one node, two or three: own records are kept and resolve at once without any peer, and are put
//     again as peers arrive. Seeds are dialled for ever; good peers are remembered and tried at the next start.
//   - Publish reports how many other nodes said that they stored the record, never a guess.
//   - Resolve ends with its context. A record older than one seen before is never returned, over restarts too; an
//     expired one is reported by Known and never served as fresh.
//
// What it does not: it does not decide when to publish again (the node does), it does not check
// that a home answers, and it does not hide who asks for which service from the nodes that are
// asked.
//
//	reg, err := dht.New(ctx, host, dht.Config{Mesh: "farm", Datastore: ds, Seeds: seeds})
//	...
//	defer reg.Close()
//	acks, err := reg.Publish(ctx, serviceKey, dht.Record{Homes: homes, Manifest: manifest})
//	...
//	rec, err := reg.Resolve(ctx, id)
//	...
//	dial(rec.Homes)
package dht
