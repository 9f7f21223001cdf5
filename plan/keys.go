package plan

import (
	"fmt"
	"hash/fnv"
)

// Keys of what a cluster keeps below its root. What belongs to one job has the
// same prefix, which begins with a hash: stores split their load by the left end
// of keys.

// JobPrefix returns where all objects of a job are, with a final slash.
func JobPrefix(job JobID) string {
	h := fnv.New32a()
	h.Write([]byte(job)) // a hash takes everything
	return fmt.Sprintf("j/%02x/%s/", h.Sum32()&0xff, job)
}

// SpecKey is where a job's Spec is.
func SpecKey(job JobID) string { return JobPrefix(job) + "spec" }

// ScratchPrefix is where a job's runs and manifests are, with a final slash.
func ScratchPrefix(job JobID) string { return JobPrefix(job) + "s/" }

// TableKey is where an attempt at planning a job puts the tasks.
func TableKey(job JobID, id AttemptID) string { return TablePrefix(job) + id.String() }

// LogsPrefix is where the logs of a job's attempts are, with a final slash.
func LogsPrefix(job JobID) string { return JobPrefix(job) + "logs/" }

// LogKey is where an attempt's log is: what its job process printed and logged,
// as lines of text.
func LogKey(job JobID, task TaskID, id AttemptID) string {
	return fmt.Sprintf("%s%s.%s", LogsPrefix(job), task.Key(), id)
}

// BundleKey is where an executable file is, by its SHA-256 in hexadecimal.
func BundleKey(digest string) string { return "bundles/sha256/" + digest }

// TablePrefix is where the tables of a job's tasks are, with a final slash.
func TablePrefix(job JobID) string { return JobPrefix(job) + "plan/" }
