// Package cluster is what master and workers say to each other: MessagePack
// over HTTP, every message with a version and a bound.
//
// A worker asks, a master answers. The worker's Sync holds its whole state, and
// the Orders that answer it all that is to change: messages can be lost, come
// twice or in another order, and the next one mends it. A master that has
// nothing to say holds an answer back until there is something, or until the
// worker should be heard from again.
//
// Nothing is decided here. Who is lost, the master says by its leases (see
// package master); who leads, the store.
package cluster
