package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// wanted is a job that users want, with the output of a sequential program.
type wanted struct {
	submission client.Submission
	oracle     []string // lines of the whole output, sorted

	id        plan.JobID // once a master has accepted it
	asked     int        // how often a user asked to retry it
	pending   int        // of those, not answered yet
	cancelled int        // the value of asked when its cancelling was acknowledged last; -1 for never
	unwanted  bool       // a user asked to cancel it
}

const words = "the quick brown fox jumps over the lazy dog while the cow jumps over the moon and the dish ran away"

// submit makes a job's input, and requests the job, any number of times, from
// any master, until one accepts it: the result is one job.
func (w *world) submit() error {
	n := len(w.wanted)
	name := []string{"wordcount", "sort", "grep", "graph"}[w.r.IntN(4)]
	j := &wanted{cancelled: -1, submission: client.Submission{Job: name, IdempotencyKey: fmt.Sprint("key ", n), Output: "mem://data/out0",
		OnExists: string(output.Fail), Partitions: 1 + w.r.IntN(3), SplitSize: 200 + w.r.Int64N(2000), Priority: 1 + w.r.IntN(3)}}
	if n > 0 {
		j.submission.Output = fmt.Sprintf("mem://data/out%d", w.r.IntN(2)*n)
		j.submission.OnExists = string([]output.Mode{output.Fail, output.Append, output.Replace}[w.r.IntN(3)])
	}
	s := &j.submission
	if name == "graph" {
		return w.submitGraph(j)
	}
	var lines []string
	for d := range 1 + w.r.IntN(2) {
		folder := fmt.Sprintf("in%d-%d", n, d)
		s.Input = append(s.Input, "mem://data/"+folder)
		some, err := w.write(folder, 1+w.r.IntN(3), 60)
		if err != nil {
			return err
		}
		lines = append(lines, some...)
	}
	switch name {
	case "wordcount":
		counts := make(map[string]int)
		for _, line := range lines {
			for word := range strings.FieldsSeq(line) {
				counts[word]++
			}
		}
		for word, n := range counts {
			j.oracle = append(j.oracle, fmt.Sprintf("%s\t%d", word, n))
		}
	case "sort":
		j.oracle = lines
	case "grep":
		s.Partitions, s.Params = 0, map[string]string{"pattern": "fox"}
		j.oracle = slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, "fox") })
	}
	return w.request(j)
}

// submitGraph submits a random job of several stages.
func (w *world) submitGraph(j *wanted) error {
	seed := w.r.Uint64N(1000)
	g := graphs.New(seed)
	for g.Shuffles() < 3 {
		seed++
		g = graphs.New(seed)
	}
	texts := g.Texts(w.r)
	s := &j.submission
	s.Params = map[string]string{"seed": fmt.Sprint(seed)}
	for i, name := range g.Inputs {
		folder := fmt.Sprintf("in%d-%d", len(w.wanted), i)
		if err := w.data.Put(w.me.ctx, folder+"/text", []byte(texts[name]), store.Durable); err != nil {
			return err
		}
		url := "mem://data/" + folder
		if name != "" {
			url = name + "=" + url
		}
		s.Input = append(s.Input, url)
	}
	for name, lines := range g.Want(texts) {
		for _, line := range lines {
			j.oracle = append(j.oracle, named(name, line))
		}
	}
	return w.request(j)
}

// named returns a line of a named output as the judge compares it.
func named(output, line string) string {
	if output == "" {
		return line
	}
	return output + ": " + line
}

// request sends a submission.
func (w *world) request(j *wanted) error {
	slices.Sort(j.oracle)
	s := &j.submission
	p, err := w.library[s.Job].Build(s.Params, nil)
	if err != nil {
		return err
	}
	s.Plan, s.Once = p.Text, p.Once
	w.wanted = append(w.wanted, j)
	w.ask("POST", "/jobs", s, func(a *answer) {
		var out client.Submitted
		if a.into(&out) {
			j.id = out.ID
		}
	})
	return nil
}

// write makes a folder of objects of up to so many lines, and returns the
// lines.
func (w *world) write(folder string, objects, most int) (lines []string, err error) {
	vocabulary := strings.Fields(words)
	for i := range objects {
		var body bytes.Buffer
		for range w.r.IntN(most) {
			line := make([]string, 1+w.r.IntN(8))
			for k := range line {
				line[k] = vocabulary[w.r.IntN(len(vocabulary))]
			}
			lines = append(lines, strings.Join(line, " "))
			fmt.Fprintln(&body, lines[len(lines)-1])
		}
		if err := w.data.Put(w.me.ctx, fmt.Sprintf("%s/%d", folder, i), body.Bytes(), store.Durable); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// cancel requests to cancel a job. Once that is acknowledged the job does not
// succeed unless a user retries it.
func (w *world) cancel(j *wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j.id == "" {
		return
	}
	j.unwanted = true
	asked := j.asked
	w.ask("POST", "/cancel/"+string(j.id), nil, func(a *answer) {
		if a.done() && asked == j.asked && j.pending == 0 {
			j.cancelled = asked
		}
	})
}

// retry requests to retry a job, as a client does: it names the run that it wants.
func (w *world) retry(j *wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j.id == "" {
		return
	}
	j.asked++
	j.pending++
	first := w.r.IntN(8)
	w.ask("GET", "/jobs/"+string(j.id), nil, func(a *answer) {
		var job client.Job
		if !a.into(&job) {
			j.pending--
			return
		}
		w.askFrom(first, "POST", fmt.Sprintf("/retry/%s?run=%d", j.id, job.Run+1), nil, func(*answer) { j.pending-- })
	})
}
