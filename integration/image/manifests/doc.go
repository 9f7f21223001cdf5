// Package manifests holds what deploy/kubernetes has against a real API server of
// Kubernetes, with a store of its own, on loopback: no field is unknown, no value is
// refused, and the pods are such as a namespace takes that is restricted. Nothing is
// run of them; package image runs containers.
//
// `make test-manifests` runs it. It builds the server, at its first time for some ten
// minutes, and keeps it in the user's cache.
package manifests
