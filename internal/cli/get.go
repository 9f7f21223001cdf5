package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/plan"
)

// getCommand shows a job.
func getCommand(p *Program) *cli.Command {
	return clusterCommand(p, "get", "show a job", "JOB", 1, 1, nil, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		id, err := findJob(c, cl, c.Args().First())
		if err != nil {
			return err
		}
		job, err := cl.Job(c.Context, id)
		if err != nil {
			return err
		}
		if printJSON {
			return writeJSON(p, job)
		}
		writeJob(&visible{to: p.Stdout}, &job)
		return nil
	})
}

// findJob returns the id of the job that a word names: an id, or the end of an id,
// long enough to be unique among the newest thousand.
func findJob(c *cli.Context, cl *client.Client, word string) (plan.JobID, error) {
	const whole = 26
	word = strings.ToUpper(word)
	if len(word) == whole {
		return plan.JobID(word), nil
	}
	if len(word) < 4 || len(word) > whole {
		return "", invalidf(c, "%q does not name a job: give its id, or at least the last 4 characters of it", word)
	}
	page, err := cl.Jobs(c.Context, client.JobsQuery{Limit: 1000})
	if err != nil {
		return "", err
	}
	var found []string
	for i := range page.Jobs {
		if id := string(page.Jobs[i].ID); strings.HasSuffix(id, word) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		return plan.JobID(found[0]), nil
	case 0:
		return "", client.Errorf(plan.NotFound, "there is no job whose id ends in %s; '%s ls' lists them", word, c.App.Name)
	default:
		return "", invalidf(c, "%s is the end of %d ids: %s; give more of it", word, len(found), strings.Join(found, ", "))
	}
}

// writeJob describes a job for people.
func writeJob(to io.Writer, j *client.Job) {
	line := cardLine(to)
	fmt.Fprintf(to, "%s: %s\n", strings.TrimSpace(j.Job+" "+string(j.ID)), j.State)
	if j.Cause != nil {
		line("cause", "%s", remote.CauseText(j.Cause))
	}
	if j.Waits != "" {
		line("waits", "%s", j.Waits)
	}
	for _, in := range j.Input {
		line("input", "%s", in)
	}
	if j.Output != "" { // else its specification cannot be read
		line("output", "%s", j.Output)
	}
	if len(j.Params) > 0 {
		line("params", "%s", pairsText(j.Params))
	}
	if len(j.Labels) > 0 {
		line("labels", "%s", pairsText(j.Labels))
	}
	line("submitted", "%s%s", moment(j.Submitted), spanText(", ", j.Age().Round(time.Second), " ago"))
	if !j.Ended.IsZero() {
		line("ended", "%s%s", moment(j.Ended), spanText(", after ", j.Elapsed().Round(time.Millisecond), ""))
	}
	if !j.State.Ended() {
		line("done", "%s, on %s, priority %d", percent(j), count(int64(j.Workers), "worker"), j.Priority)
	}
	for _, ph := range j.Phases {
		text := fmt.Sprintf("%s of %s", number(int64(ph.Committed)), count(int64(ph.Tasks), "task"))
		if ph.Running > 0 {
			text += fmt.Sprintf(", %d running", ph.Running)
		}
		line(ph.Phase, "%s", text)
	}
	read := embedded.Bytes(j.Progress.Bytes)
	if j.Progress.Input > 0 {
		read += " of " + embedded.Bytes(j.Progress.Input)
	}
	line("read", "%s", read)
	if text := j.Progress.LeftOutBy.String(); text != "" {
		line("left out", "%s", text)
	}
	if j.Progress.Shuffled > 0 {
		line("shuffled", "%s", embedded.Bytes(j.Progress.Shuffled))
	}
	if r := j.Result; r != nil {
		line("written", "%s in %s, %s", count(r.Records, "record"), embedded.Bytes(r.Bytes), count(int64(r.Parts), "part"))
		writeBad(line, r.BadRecords, j.Output, strings.HasPrefix(j.BadRecords, "quarantine"))
	}
	writeCounted(line, j.Counters, j.Stats)
	writeSkew(line, j.Skew)
	if j.Progress.Retried > 0 {
		line("retried", "%s", count(j.Progress.Retried, "attempt"))
	}
	if j.Run > 0 {
		line("reopened", "%s", count(int64(j.Run), "time"))
	}
	writeRequests(line, j)
}

// spanText returns a duration between two texts; "" when it is not known.
func spanText(before string, d time.Duration, after string) string {
	if d == 0 {
		return ""
	}
	return before + d.String() + after
}

// pairsText returns names and values in the order of the names.
func pairsText(m map[string]string) string {
	texts := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		texts = append(texts, name+"="+m[name])
	}
	return strings.Join(texts, ", ")
}
