// Package sim tests a whole cluster in one process, in virtual time: the real
// masters, their journal and scheduler, the real workers and their protocol,
// and the real executor, on a store and a network that lose, delay and repeat.
// A seed decides everything that is drawn; a failure prints the command that
// replays it.
package sim
