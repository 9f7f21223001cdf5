//go:build !linux

package sandbox

// cgroup does nothing where there are no control groups.
type cgroup struct{}

// DelegatedCgroup returns "": there are no control groups.
func DelegatedCgroup() string { return "" }

func newCgroup(*Config) (*cgroup, error) { return nil, nil }

func (*cgroup) kill()           {}
func (*cgroup) exhausted() bool { return false }
func (*cgroup) remove()         {}
