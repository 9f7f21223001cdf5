//go:build !failpoint

package main

import "github.com/windrow-mr/windrow/store"

// stores returns the options of all roots.
func stores() store.Options { return store.Options{} }

// haste returns the divisor of the times after which a silent process is considered
// lost.
func haste() int { return 1 }
