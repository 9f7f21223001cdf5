//go:build race

package faults

// raced says that the programs under test have the race detector too.
const raced = true
