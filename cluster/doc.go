// Package cluster is the protocol between masters and workers: MessagePack over
// HTTP, every message with a version and a bound.
//
// A worker asks, a master answers. The worker's Sync holds its whole state; the
// Orders in answer hold all that must change. Messages can be lost, repeated or
// reordered: the next one corrects that. A master without orders holds its
// answer until it has some, or until the worker should send its state again.
//
// The package decides nothing. A master's leases decide which workers are lost
// (see package master); the store decides which master leads.
//
// It is part of the engine, and may change between minor versions.
package cluster
