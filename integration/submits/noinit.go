//go:build noinit

package main

// begin leaves out what workers need.
func begin() {}

func commandLine() {}
