package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

// cluster starts a master in this process, with one job that runs, and returns a
// client of it.
func cluster() (c *client.Client, master *apitest.Backend, stop func()) {
	master = apitest.New()
	running := apitest.Job{
		Job: client.Job{ID: apitest.ID(1), Job: "wordcount", State: client.Running, Phase: "map",
			Progress: client.Progress{Fraction: 0.25, Bytes: 1 << 30, Input: 2 << 30}},
		Tasks: []client.Task{
			{Task: "map/0", State: client.TaskRunning, Attempts: 1, Worker: "w1", Seconds: 12},
			{Task: "map/1", State: client.TaskRunning, Attempts: 3, Worker: "w2", Seconds: 80},
		},
		Counters: client.Counters{Counts: map[string]int64{"bad lines": 3}},
		Logs:     []apitest.Log{{Log: client.Log{Task: "map/1", Attempt: "3.1.00000001", State: "failed"}, Text: "line 7 has no tab\n", Ended: true}},
	}
	master.Set(&running)
	master.SetWorkers(client.Worker{ID: "w1", State: client.WorkerReady, Slots: 8, Running: 1}, client.Worker{ID: "w2", State: client.WorkerReady, Slots: 8, Running: 1})
	server := httptest.NewServer(api.Handler(master, api.Config{Loopback: true}))
	c, err := client.New(client.Config{URLs: []string{server.URL}})
	if err != nil {
		log.Fatal(err)
	}
	return c, master, server.Close
}

// Submit submits a job. With an idempotency key, a program that is started twice
// submits it once.
func ExampleClient_Submit() {
	c, _, stop := cluster()
	defer stop()
	for range 2 {
		submitted, err := c.Submit(context.Background(), client.Submission{
			IdempotencyKey: "words-2026-07-01",
			Job:            "wordcount", Build: "v1", Plan: "the pipeline's text",
			Input: []string{"s3://logs/2026-07-01/*.gz"}, Output: "s3://counts/2026-07-01", OnExists: "replace",
		})
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Println("submitted before:", submitted.Known)
	}
	// Output:
	// submitted before: false
	// submitted before: true
}

// Job returns a job as it is now.
func ExampleClient_Job() {
	c, _, stop := cluster()
	defer stop()
	job, err := c.Job(context.Background(), apitest.ID(1))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("%s: %s, %s, %.0f%%, ended: %v\n", job.Job, job.State, job.Phase, 100*job.Progress.Fraction, job.State.Ended())
	// Output: wordcount: running, map, 25%, ended: false
}

// The kind of an error says what a program can do about it.
func ExampleError() {
	c, _, stop := cluster()
	defer stop()
	_, err := c.Job(context.Background(), apitest.ID(99))
	var refused *client.Error
	if errors.As(err, &refused) && refused.Kind == plan.NotFound {
		fmt.Println(err)
	}
	// Output: there is no job 01JD0000000000000000000099
}

// Jobs lists jobs, a page at a time.
func ExampleClient_Jobs() {
	c, _, stop := cluster()
	defer stop()
	query := client.JobsQuery{State: client.Running, Limit: 50}
	for {
		page, err := c.Jobs(context.Background(), query)
		if err != nil {
			log.Print(err)
			return
		}
		for i := range page.Jobs {
			fmt.Println(page.Jobs[i].ID, page.Jobs[i].Job)
		}
		if page.Next == "" {
			break
		}
		query.Before = page.Next
	}
	// Output: 01JD0000000000000000000001 wordcount
}

// Tasks finds the tasks that hold a job up.
func ExampleClient_Tasks() {
	c, _, stop := cluster()
	defer stop()
	page, err := c.Tasks(context.Background(), apitest.ID(1), client.TasksQuery{State: client.TaskRunning, Sort: client.ByDuration, Limit: 1})
	if err != nil {
		log.Print(err)
		return
	}
	for _, task := range page.Tasks {
		fmt.Printf("%s runs for %.0f s on %s, attempt %d\n", task.Task, task.Seconds, task.Worker, task.Attempts)
	}
	fmt.Println(page.Total, "tasks run")
	// Output:
	// map/1 runs for 80 s on w2, attempt 3
	// 2 tasks run
}

// Log copies the log of an attempt that failed.
func ExampleClient_Log() {
	c, _, stop := cluster()
	defer stop()
	ctx, id := context.Background(), apitest.ID(1)
	failed, err := c.Logs(ctx, id, client.LogsQuery{Failed: true})
	if err != nil {
		log.Print(err)
		return
	}
	for _, l := range failed {
		fmt.Printf("%s:\n", l.Task)
		if err := c.Log(ctx, id, l.Task, l.Attempt, false, os.Stdout); err != nil {
			log.Print(err)
		}
	}
	// Output:
	// map/1:
	// line 7 has no tab
}

// Counters returns what a job's functions counted, also while it runs.
func ExampleClient_Counters() {
	c, _, stop := cluster()
	defer stop()
	counters, err := c.Counters(context.Background(), apitest.ID(1))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println("bad lines:", counters.Counts["bad lines"])
	// Output: bad lines: 3
}

// A job that a program cancels can be retried: committed tasks do not run again.
func ExampleClient_Cancel() {
	c, _, stop := cluster()
	defer stop()
	ctx, id := context.Background(), apitest.ID(1)
	if err := c.Cancel(ctx, id); err != nil {
		log.Print(err)
		return
	}
	job, err := c.Job(ctx, id)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(job.State)
	if err := c.Retry(ctx, id); err != nil {
		log.Print(err)
		return
	}
	if job, err = c.Job(ctx, id); err != nil {
		log.Print(err)
		return
	}
	fmt.Println("retried:", job.Run)
	// Output:
	// cancelled
	// retried: 1
}

// Drain empties a worker, for maintenance of its machine.
func ExampleClient_Drain() {
	c, _, stop := cluster()
	defer stop()
	ctx := context.Background()
	if err := c.Drain(ctx, "w2"); err != nil {
		log.Print(err)
		return
	}
	workers, err := c.Workers(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	for i := range workers {
		fmt.Println(workers[i].ID, workers[i].State)
	}
	// Output:
	// w1 ready
	// w2 draining
}
