//go:build !faults

package faults

const all = false
