// Package jobproc is what a worker and its job processes say to each other: who
// works on what, how far it is, and how it ended. What a job reads and writes
// goes by package store/relay, over a connection of its own.
//
// A worker calls Open for each process that it has started, and then Run for
// each attempt. A process calls Main, which is all that it does: it builds the
// plan of its job anew, and runs worker/executor over what the worker lets it
// reach. One attempt runs at a time; a process may run any number of a job's.
//
// # Protocol
//
// Both sides send frames:
//
//	0  4  length of the payload, big-endian; see limits
//	4  1  kind
//	5  …  payload: one message of the kind, in MessagePack
//
// The worker begins with a hello, which has the version in it. The process
// answers that it is ready, with what its plan looks like, or refuses with
// words. Then the worker asks for one thing at a time: an attempt, or a call of
// one of the job's own functions that divide or make input. While an attempt
// runs the process tells its progress and asks for its grant; the worker answers
// that, or stops the attempt. Whatever else comes ends the connection.
//
// The worker believes the process nothing: lengths are looked at before room is
// made, and what a process says of an attempt counts for that attempt alone.
//
// Concurrency: a Session makes one call at a time, others wait. Main returns
// when its connection ends.
//
// Failure: after an error that is no *Refusal and no Verdict nobody knows what
// the process does: it is of no use any more.
//
// Units: bytes.
package jobproc
