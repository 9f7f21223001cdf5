// Package faults holds the tests that break a cluster of real processes on
// purpose: masters and workers that are killed, stopped and cut off, stores that
// lie, jobs that misbehave, and hostile peers. Each fault has a number, and one
// named test, which can be run alone:
//
//	go test ./integration/faults -run TestFault07 -seed=3
//
// The programs under test are built with failpoints, see cmd/windrow, and with the
// race detector when the tests have it. Processes lose patience with each other
// five times sooner than a user's, so that a minute is enough for most tests.
//
// The same must hold after every fault, see (*cluster).succeeds: the output is the
// one that a few lines of sequential Go make of the input, counters count once, the
// job's log is one that masters may write, and no object is visible that the
// output's manifest does not name.
//
// make test runs a part of the tests: fewer points and rounds. With the build tag
// faults, which make test-faults sets, all of them run. Tests run in parallel, each
// on its own cluster. A failure ends the test, and prints the output of the
// processes.
//
// # Helper words
//
// Tests read as sentences of a few words. Those of a cluster c:
//
//   - onFiles, onS3, onBucket, both: make a cluster in a directory, on a real S3
//     server, in a given bucket; run a test on the first two.
//   - behind, front: make a cluster whose processes reach S3 through a front, a
//     server that a test programs. apply carries a request out and loses the
//     answer, answer refuses it, once reports whether it is a create-once.
//   - write, scatter: make input of words; of records.
//   - master, leader, worker, start: start a process, and wait until it is up; a
//     leader, until it leads.
//   - meet: replace the client by a new one, which knows no master yet.
//   - submit, submitOn, submitLater: submit a job; with another input; in the
//     background.
//   - until: follow a job until a condition holds. committed and has are
//     conditions: so many tasks are committed; so many workers are there.
//   - ends: run windrow watch, and return its exit status.
//   - succeeds, tallied: wait for the end of a job, and check all that must hold;
//     of the job tally, also its counters. sorted reads records, and checks that
//     they are in order.
//   - slow: flags that make the job tally take a while, and leave marks. marks
//     counts how often each task was begun.
//   - finished, notAgain: remember the committed tasks; check that none of them
//     was begun again since.
//   - mostly: check by the marks that no task was begun more often than given.
//   - eventually, lasts: wait for a condition; a condition that holds after some
//     seconds.
//   - failpoint, weather: variables of a process's environment that make it stop or
//     die at a write, and that make its store fail.
//   - secured, gossips: give the cluster a token; a token and keys of gossip.
//
// Those of a process p:
//
//   - says, pauses: wait for words in its output; wait until a failpoint has
//     stopped it.
//   - kill, signal, wait: end it by SIGKILL; send a signal; wait for its end.
//   - resume: let a stopped process continue.
//   - family: the process and its descendants. signalJobs signals the descendants.
//   - haste, patient, patience: how much sooner these processes lose patience than
//     a user's; the setting for masters that must not lose a worker; how long a
//     test waits.
//
// Those of a network: a proxy passes on connections until it is cut, and again after
// restore. silence accepts everything and answers nothing. Of a disk: half leaves
// half of a program in a cache; through and apart run a worker on a disk of its own.
package faults
