//go:build faults

package integration

// oneIn is the divisor of the number of seeds and rounds: all are tried here.
const oneIn = 1

// killEach is the distance of the writes after which a run is killed: all of them.
const killEach = 1

// randomGraphs is the number of random jobs of several stages.
const randomGraphs = 500
