//go:build !noinit

package main

import "github.com/windrow-mr/windrow"

// begin lets workers start the program.
func begin() { windrow.Init(all...) }

// commandLine is windrow's, for the same jobs.
func commandLine() { windrow.Main(all...) }
