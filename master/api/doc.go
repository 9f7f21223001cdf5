// Package api serves the HTTP API of a cluster under /v1, which openapi.json
// documents and package client uses. The master calls Handler, and implements
// Backend.
//
// The package checks and translates requests and answers, and decides nothing: it
// has the paths, parameters, limits, the form of documents, and streams. Every
// answer except a log is JSON. Every refusal is an error with a kind and a text for
// people. A master that does not lead answers 421 with the leader's URL.
//
// Package cluster/auth, in front of the handler, authenticates clients. The handler
// itself keeps browsers out: it refuses requests from other origins and, where no
// token is needed, requests whose Host header has another name than those of
// loopback.
//
// A Handler is safe for concurrent use. A stream ends with its request, when the
// client goes away, or when its job has ended.
//
// It is part of the engine, and may change between minor versions.
package api
