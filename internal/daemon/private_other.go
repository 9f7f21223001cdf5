//go:build !linux

package daemon

// keepPrivate does nothing: other systems show the environment of a process to
// its user.
func keepPrivate() error { return nil }
