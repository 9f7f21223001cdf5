// Package image tests the container image: it builds the real Dockerfile with
// Docker, and runs clusters of its containers, started by the very commands of
// docs/operations.md. They lose workers and masters, and their jobs lose
// nothing.
//
// `make test-image` runs it, as root, since it starts its own Docker daemon, in
// its own directory. It does not touch another daemon of the machine, nor that
// daemon's tables of addresses. Without a registry, it makes the base image of
// the Dockerfile here, from Debian's packages and this machine's Go.
//
// Tests run in parallel on one daemon, each with its own containers and roots.
// A failure ends the test and prints the output of the containers. Containers,
// networks and the daemon are removed afterwards in any case.
package image
