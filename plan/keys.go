package plan

import (
	"fmt"
	"hash/fnv"
)

// Keys of a cluster's objects below its root. All objects of one job have the
// same prefix. It begins with a hash: stores split their load by the left end
// of keys.

// JobPrefix returns the prefix of all objects of a job, with a final slash.
func JobPrefix(job JobID) string {
	h := fnv.New32a()
	h.Write([]byte(job)) // a hash never fails
	return fmt.Sprintf("j/%02x/%s/", h.Sum32()&0xff, job)
}

// SpecKey returns the key of a job's Spec.
//
//go:noinline
func SpecKey(job JobID) string { return JobPrefix(job) + "spec" }

// ScratchPrefix returns the prefix of a job's runs and manifests, with a final
// slash.
func ScratchPrefix(job JobID) string { return JobPrefix(job) + "s/" }

// TableKey returns the key of the task table that an attempt at planning a job
// writes.
func TableKey(job JobID, id AttemptID) string { return TablePrefix(job) + id.String() }

// LogsPrefix returns the prefix of the logs of a job's attempts, with a final
// slash.
func LogsPrefix(job JobID) string { return JobPrefix(job) + "logs/" }

// LogKey returns the key of an attempt's log: the output and log of its job
// process, as lines of text.
func LogKey(job JobID, task TaskID, id AttemptID) string {
	return fmt.Sprintf("%s%s.%s", LogsPrefix(job), task.Key(), id)
}

// BundlePrefix is the common prefix of the keys of all bundles.
const BundlePrefix = "bundles/sha256/"

// BundleKey returns the key of a copy of an executable file, by its SHA-256 in
// hexadecimal.
func BundleKey(digest string, copied int) string {
	if copied == 0 {
		return BundlePrefix + digest
	}
	return fmt.Sprintf("%s%s.%d", BundlePrefix, digest, copied)
}

// TablePrefix returns the prefix of a job's task tables, with a final slash.
func TablePrefix(job JobID) string { return JobPrefix(job) + "plan/" }
