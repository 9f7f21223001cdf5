// Package integration tests Windrow from outside: real processes, a real S3
// server, signals and kills, and what a user would see of them. It also checks
// the imports of all packages (TestLayers). The words of comments, messages and
// documents are for package words below it.
//
// Every test runs alone and in parallel with the others; processes end with
// their test. TestMain builds the programs under test once.
package integration
