// Package integration tests Windrow from outside: real processes, a real S3
// server, signals and kills, and what a user would see of them. It also holds
// the project's layers to their rules.
//
// Every test runs alone and in parallel with the others; processes end with
// their test. The programs under test are built once, by TestMain.
package integration
