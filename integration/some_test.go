//go:build !faults

package integration

// oneIn is the divisor of the number of seeds and rounds; make test-faults tries all.
const oneIn = 8

// killEach is the distance of the writes after which a run is killed; make
// test-faults kills after each.
const killEach = 3

// randomGraphs is the number of random jobs of several stages; make test-faults tries 500.
const randomGraphs = 15
