// Package scale puts a real master under the load of many workers and tasks, in
// one process: the workers' protocol, leases, scheduler, journal and commit are
// real, the connections are in memory, and the tasks do nothing.
package scale
