// Package control is a cluster's master: it stands by until it leads, and then
// carries every job of the cluster on. The commands master and dev start one; the
// HTTP API and the workers' protocol are served from it.
//
// A Master lives as long as its process. A reign is the time for which it leads,
// with an epoch of its own; all that it knows beside the store dies with that.
// Each job has a goroutine, which runs the shell of package master around the
// job's scheduler. What the jobs share is the table of members: the workers, what
// is placed on them, and what they are to be told.
//
// Safety is the journal's: a master that believes to lead and does not can launch
// attempts in vain, and commit nothing. The lease makes it stop sooner.
//
// Workers are lost when they have not been heard for 15 s, and not before,
// whatever gossip says. An attempt that a worker does not know any more, and has
// not told of, is looked for in the store before it is taken for lost.
package control
