//go:build !failpoint

package main

import "github.com/windrow-mr/windrow/store"

// stores returns how roots are opened.
func stores() store.Options { return store.Options{} }

// haste returns how much sooner than others the cluster's processes lose patience.
func haste() int { return 1 }
