// Package api serves the HTTP API of a cluster under /v1, which openapi.json
// documents and package client speaks. The master calls Handler, and is the
// Backend behind it.
//
// Here is the form of requests and answers, and nothing is decided: paths,
// parameters, bounds, the shape of what is sent, streams. Every answer but a log
// is JSON, and every refusal an error with a kind and a text for people; a
// master that does not lead answers 421 with the leader's URL.
//
// Who may ask is not looked at here: package cluster/auth stands in front. What
// keeps browsers out is: other origins, and, where nobody needs a token, other
// names than loopback's in the Host header.
//
// A Handler may serve any number of requests at once. Streams end with their
// request, when the client goes away, or when their job has ended.
package api
