// Package scheduler decides what a job does next, and does nothing else.
//
// State.Step takes an event and returns commands. It reads no clock, draws
// no random number, does no I/O and starts no goroutine: time is an
// argument, and the same events give the same commands. Package master is
// its shell: it turns commands into appends, launches and commits, and
// their outcomes into events. One goroutine owns a State.
//
// There are two kinds of knowledge:
//
//   - Job is the state that the log has: the fold over the job's records in the
//     order of their slots, and nothing else. Any master that reads the same log
//     has the same Job.
//   - State adds what only this master knows and may forget: workers, running
//     attempts, and reports that are not in the log yet.
//
// A job is a graph of steps: see plan.Graph. A step opens when the steps that it
// waits for are done, and the exchanges that it writes have their sizes. Open steps
// get slots in turn. A result that is lost is made again, and so is, one after
// another, what that attempt finds lost in its turn. The steps that read it pause
// until then; attempts that may have read the lost result leave nothing, and if there
// are results that were made of it, it must be the same again.
//
// Every decision on which others may build is an append to the log. One
// append is in flight at a time. The entries that are wanted are derived
// again from Job and State each time that no append is in flight. So a
// master that lost a slot to another decides on the new state, and never
// appends an old decision.
//
// The duties of the shell, in this order:
//
//  1. Append: create the slot once. Report whether it was won or lost (Appended,
//     Taken). An append whose outcome is unknown is read back until it is known.
//  2. CheckEpoch: find out, by a read begun after the append returned, whether
//     this master's epoch is still the highest (Checked). Grants, intents, aborts
//     and ends take effect only after that.
//  3. Carry out the other commands in any order. They may be repeated or late:
//     attempts are fenced by their ids.
//
// Stale, duplicate and unknown events are legal input and change nothing.
// Lost and failed attempts are counted separately: the loss of a worker is
// no fault of the task. Nothing returns an error; a job that cannot succeed
// ends with a Cause.
//
// It is part of the engine, and may change between minor versions.
package scheduler
