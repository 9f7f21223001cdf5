// Package manifests checks deploy/kubernetes with a real API server of
// Kubernetes, with its own store, on loopback: no field is unknown, no value is
// refused, and a restricted namespace accepts the pods. It runs no pods;
// package image runs containers.
//
// `make test-manifests` runs it. The first time, it builds the server for about
// ten minutes, and keeps it in the user's cache.
package manifests
