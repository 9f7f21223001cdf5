// Package faults holds the tests that break a cluster of real processes on
// purpose: masters and workers that are killed, stopped and cut off, stores that
// lie, jobs that misbehave, and peers that mean harm. Each fault has a number, and
// one named test, which can be run alone:
//
//	go test ./integration/faults -run TestFault07 -seed=3
//
// The programs under test are built with failpoints, see cmd/windrow, and with the
// race detector when the tests have it. Processes lose patience with each other
// five times as soon as a user's, so that a minute is enough for most tests.
//
// After every fault the same must hold, see (*cluster).succeeds: the output is
// what a few lines of sequential Go make of the input, counts are counted once,
// the job's log is one that masters may write, and no object is visible that the
// output's manifest does not name.
//
// make test runs a part of it: fewer points and rounds. With the build tag faults,
// which make test-faults sets, all of it runs. Tests run side by side, each on a
// cluster of its own; what fails ends the test, and prints what the processes
// said.
package faults
