// Package jobproc is the protocol between a worker and its job processes: which
// attempt a process works on, how far it is, and how it ended. The job's input
// and output go through package store/relay, over a connection of its own.
//
// A worker calls Open for each process that it has started, and then Run for
// each attempt. A process only calls Main: it builds the pipeline of its job
// again, and runs worker/executor over what the worker lets it reach. One
// attempt runs at a time; a process may run any number of a job's attempts.
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
// answers that it is ready, with a description of its pipeline, or refuses with
// a text. Then the worker asks for one thing at a time: an attempt, or a call of
// one of the job's own functions that divide or make input. While an attempt
// runs, the process reports its progress and asks for its grant; the worker
// answers that, or stops the attempt. Any other message ends the connection.
//
// The worker trusts nothing that the process says: it checks lengths before it
// allocates memory, and a statement about an attempt counts for that attempt
// only.
//
// Concurrency: a Session makes one call at a time, others wait. Main returns
// when its connection ends.
//
// Failure: after an error that is neither a *Refusal nor a Verdict the state of
// the process is unknown, and it can no longer be used.
//
// Units: bytes.
//
// It is part of the engine, and may change between minor versions.
package jobproc
