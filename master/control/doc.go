// Package control is the master of a cluster. It stands by until it leads, and then
// drives every job of the cluster to its end. The commands master and dev start
// one; the HTTP API and the workers' protocol are served from it.
//
// A Master lives as long as its process. Its leadership is the time in which it
// leads, with an epoch of its own; everything that it knows beside the store ends
// with it. Each job has a goroutine, which runs the shell of package master around
// the job's scheduler. The jobs share the table of workers (package members).
// Package view describes jobs for users, and package gc collects garbage.
//
// The journal guarantees safety. A master that wrongly believes that it leads can
// launch attempts without effect, and can commit nothing. The lease only makes it
// stop sooner.
//
// A worker is lost after 15 s of silence, and not before, whatever gossip says. One
// whose connection ended gets no new attempts until its next message, and second
// attempts at its tasks may begin: so a cluster advances whose workers are killed
// more often than they are taken for lost. An
// attempt that its worker no longer knows, and whose end was not reported, is
// searched in the store before it is taken for lost.
//
// Errors of the methods that serve the API are a *client.Error, or the end of the
// caller's context.
//
// It is part of the engine, and may change between minor versions.
package control
