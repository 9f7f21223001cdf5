//go:build race

package runner_test

// instrumented is what a process of this program needs beside its own memory.
const instrumented = 512 << 20
