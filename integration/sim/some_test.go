//go:build race

package sim

// oneIn is the divisor of the number of seeds. With the race detector, the whole number
// takes six times as long: make test tries it without, make test-faults with it.
const oneIn = 5
