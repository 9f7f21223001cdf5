//go:build !race

package runner_test

const instrumented = 0
