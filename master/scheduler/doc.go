// Package scheduler decides what a job does next, and nothing else.
//
// State.Step takes an event and returns commands. It reads no clock, draws no
// random number, does no I/O and starts no goroutine: time is an argument, and
// the same events give the same commands. Package master is its shell: it
// turns commands into appends, launches and commits, and their outcomes into
// events. One goroutine owns a State.
//
// There are two kinds of knowledge, kept apart:
//
//   - Job is what the log says: the fold over the job's records in the order
//     of their slots, and nothing else. Any master that reads the same log
//     holds the same Job.
//   - State adds what this master alone knows and may forget: workers,
//     running attempts, reports that have not reached the log yet.
//
// Every decision that others may build on is an append to the log, of which
// one is in flight at a time. What is wanted of the log is derived anew from
// Job and State each time the log is free, so a master that lost a slot to
// another decides again on the new state and never appends an old decision.
//
// The duties of the shell, in this order:
//
//  1. Append: create the slot once. Won or lost, tell State (Appended, Taken).
//     An append whose outcome is unknown is read back until it is known.
//  2. CheckEpoch: find out, by a read begun after the append returned, whether
//     this master's epoch is still the highest (Checked). A grant, an intent,
//     an abort and an end are acted upon only after that.
//  3. Every other command may be carried out in any order, more than once, or
//     late: attempts are fenced by their ids.
//
// Stale, duplicate and unknown events are legal input and change nothing. A
// lost attempt and a failed one are counted apart: losing a worker is no fault
// of the task.
package scheduler
