// Package journal is the durable state of a cluster: which master leads it, and
// the log of each of its jobs, as objects in a store that are created once.
//
// Masters write by it; any process may read, with no master running. Below a
// cluster's root there are
//
//	cluster/leader/<epoch>         the master that took the epoch; created once, never deleted
//	cluster/leader/<epoch>.hb      a counter that the holder of the epoch overwrites
//	collecting/<epoch>.<…>         programs that a collection of garbage may delete
//	j/<hh>/<job>/spec              the submission; created once
//	j/<hh>/<job>/log/<slot>        a record; created once: one writer wins the slot
//	j/<hh>/<job>/snap/<slot>       the fold of all slots before this one; created once
//	j/<hh>/<job>/fold/<slot>.<…>   a fold that is too long for snap/
//	j/<hh>/<job>/summary/<run>.<…> the record of a run that is too long for ended/
//
// hh is a hash of the job in two hexadecimal digits, so that a store can spread
// its load. Epochs and slots have 20 digits.
//
// A record is "WRLG", a version of two bytes and MessagePack; the frame of
// create-once around it has length and CRC32C. Epochs begin at 1, slots at 0.
//
// Safety is in the slots: when two masters append to one slot, one of them
// loses and reads the winner's record. The lease of a leader only keeps masters
// from disturbing each other; masters measure it on their own clocks, which
// need not agree.
//
// A Lease and a Log may be used by any number of goroutines, Append by one at a
// time. That an object is absent counts only when another one could be read
// just then: an outage must never look like an empty log. Errors are those of
// package store, or name the damaged object.
//
// It is part of the engine, and may change between minor versions.
package journal
