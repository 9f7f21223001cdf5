package journal

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/plan"
)

const leaders = "cluster/leader/"

//go:noinline
func leaderKey(epoch uint64) string { return fmt.Sprintf("%s%020d", leaders, epoch) }

// beatSuffix ends the key of a leader's counter.
const beatSuffix = ".hb"

func beatKey(epoch uint64) string { return leaderKey(epoch) + beatSuffix }

func slotKey(job plan.JobID, slot uint64) string {
	return fmt.Sprintf("%slog/%020d", plan.JobPrefix(job), slot)
}

func snapKey(job plan.JobID, slot uint64) string {
	return fmt.Sprintf("%ssnap/%020d", plan.JobPrefix(job), slot)
}

// tasksKey is the key of a part of the record of a run's tasks, counted from 0.
func tasksKey(r Run, part int) string {
	return fmt.Sprintf("%stasks/%d.%d", plan.JobPrefix(r.Job), r.Number, part)
}

// numberOf returns the number at the end of a key below prefix.
func numberOf(key, prefix string) (uint64, bool) {
	digits, ok := strings.CutPrefix(key, prefix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}
