// Package api serves the HTTP API of a cluster under /v1, which openapi.json
// documents and package client uses. The master calls Handler, and is the
// Backend behind it.
//
// It handles the form of requests and answers: paths, parameters, bounds,
// documents, streams. It decides nothing. Every answer except a log is JSON, and
// every refusal an error with a kind and a text for users; a master that does
// not lead answers 421 with the leader's URL.
//
// It does not check tokens or certificates: package cluster/auth does so in
// front of it. It refuses browsers from other origins and, where no token is
// needed, with other names than loopback's in the Host header.
//
// A Handler may serve any number of requests at once. Streams end with their
// request, when the client is gone, or when their job has ended.
//
// It is part of the engine, and may change between minor versions.
package api
