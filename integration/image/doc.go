// Package image tests the container image: it builds the real Dockerfile with
// Docker, and runs clusters of its containers, started by the very commands of
// docs/operations.md. They lose workers and masters, and their jobs nothing.
//
// `make test-image` runs it, as root, since it starts a Docker daemon of its own, in
// a directory of its own; another daemon of the machine is left alone, and so are
// its tables of addresses. Without a registry the image that the Dockerfile builds
// on is made here, from Debian's packages and this machine's Go.
//
// Tests run side by side on one daemon, each with containers and roots of its own.
// What fails ends the test and prints what the containers said; containers, networks
// and the daemon are gone afterwards in any case.
package image
