package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

func (s *server) tasks(w http.ResponseWriter, r *http.Request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	q := queryOf(r, "state", "phase", "sort", "limit", "after")
	state := choice(q, "state", client.TaskStates())
	phase := choice(q, "phase", phaseNames())
	order := choice(q, "sort", client.TaskOrders())
	limit := q.number("limit", tasksLeast, tasksMost)
	after := q.place("after")
	if q.err != nil {
		return q.err
	}
	all, err := s.backend.Tasks(r.Context(), id)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(t client.Task) bool {
		return state != "" && t.State != state || phase != "" && !ofPhase(t.Task, phase)
	})
	page := client.TasksPage{Tasks: []client.Task{}, Total: len(all)}
	places := make([]placed, len(all))
	for i := range all {
		places[i] = placed{placeOf(&all[i], order), &all[i]}
	}
	slices.SortFunc(places, func(a, b placed) int { return a.compare(b.place) })
	if after != nil {
		places = slices.DeleteFunc(places, func(p placed) bool { return p.compare(*after) <= 0 })
	}
	for _, p := range places[:min(limit, len(places))] {
		page.Tasks = append(page.Tasks, *p.Task)
	}
	if len(places) > limit {
		page.Next = places[limit-1].String()
	}
	write(w, http.StatusOK, page)
	return nil
}

// ofPhase reports whether a task is of a phase, whatever its stage.
func ofPhase(task, phase string) bool {
	id, err := plan.ParseTaskID(task)
	return err == nil && id.Phase.String() == phase
}

func phaseNames() []string {
	var names []string
	for p := plan.Prepare; p <= plan.LastPhase; p++ {
		names = append(names, p.String())
	}
	return names
}

// place is the place of a task in an order: the largest measure first, and among
// equals the order of tasks. It does not depend on other tasks, so that a page can
// begin after it.
type place struct {
	measure float64
	task    plan.TaskID
}

type placed struct {
	place
	*client.Task
}

func placeOf(t *client.Task, order client.TaskOrder) place {
	p := place{}
	p.task, _ = plan.ParseTaskID(t.Task) // the backend's ids are valid
	switch order {
	case client.ByDuration:
		p.measure = t.Seconds
	case client.ByBytes:
		p.measure = float64(t.Read.Bytes)
	case client.ByAttempts:
		p.measure = float64(t.Attempts)
	default:
	}
	return p
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(o.measure, p.measure), p.task.Compare(o.task))
}

// String returns the place as a page's Next.
func (p place) String() string {
	return strconv.FormatFloat(p.measure, 'g', -1, 64) + "@" + p.task.String()
}

// place returns a parameter that is the Next of a page; nil for none.
func (q *query) place(name string) *place {
	text := q.values.Get(name)
	if text == "" {
		return nil
	}
	measure, task, _ := strings.Cut(text, "@")
	m, err := strconv.ParseFloat(measure, 64)
	id, taskErr := plan.ParseTaskID(task)
	if err != nil || taskErr != nil {
		q.fail("%s=%s is not the next of a page", name, clipped(text))
		return nil
	}
	return &place{m, id}
}

func (s *server) counters(w http.ResponseWriter, r *http.Request) error {
	id, err := plainJob(r)
	if err != nil {
		return err
	}
	counters, err := s.backend.Counters(r.Context(), id)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, counters)
	return nil
}
