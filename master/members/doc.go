// Package members is the table of a cluster's workers: which there are, which
// attempts are placed on them, how their slots are divided among jobs, and the next
// orders for each.
//
// The leader has one Table, for as long as it leads. The workers' protocol hands it
// messages; jobs place attempts on it, and receive news of their workers through
// the interface Job. A worker is lost when Expire finds that it was silent for too
// long, and for no other reason: Doubt, which comes from gossip, only keeps new
// work away from it.
//
// All decisions are a function of the calls and of the times that they are given.
// The package reads no clock, starts no goroutine and does no I/O. All methods may
// be called by any number of goroutines. They call jobs while the table is locked,
// so that a Job must not block or call back. Nothing fails: a message that is late,
// repeated or of an unknown worker changes nothing.
//
// It is part of the engine, and may change between minor versions.
package members
