// Package words checks the words of comments, messages and documents (TestWords). The
// check has one goroutine, where the race detector finds nothing and takes five times as
// long: its tests are built without the detector alone.
package words
