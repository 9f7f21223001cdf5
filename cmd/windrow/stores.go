//go:build !failpoint

package main

import "github.com/windrow-mr/windrow/store"

// stores returns how roots are opened.
func stores() store.Options { return store.Options{} }
