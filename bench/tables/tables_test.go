package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/bench/inputs"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
	"github.com/windrow-mr/windrow/store"
)

const table = `id1,id2,id3,id4,id5,id6,v1,v2,v3
id001,id002,id0000000001,4,9,7,1,15,0.500000
id001,id002,id0000000002,4,9,7,5,3,100.000000
id003,id002,id0000000001,10,9,8,2,4,0.000001
id001,id002,id0000000001,4,9,7,3,2,0.250000
`

// TestQuestions verifies the answers over a table of four rows, worked out on paper.
func TestQuestions(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"groupby-1":  {"id001\t9", "id003\t2"},
		"groupby-2":  {"id001\tid002\t9", "id003\tid002\t2"},
		"groupby-3":  {"id0000000001\t6\t0.2500003333333333", "id0000000002\t5\t100"},
		"groupby-4":  {"4\t3\t6.666666666666667\t33.583333333333336", "10\t2\t4\t1e-06"},
		"groupby-5":  {"7\t9\t20\t100.75", "8\t2\t4\t1e-06"},
		"groupby-7":  {"id0000000001\t1", "id0000000002\t2"},
		"groupby-10": {"id001\tid002\tid0000000001\t4\t9\t7\t0.75\t2", "id001\tid002\tid0000000002\t4\t9\t7\t100\t1", "id003\tid002\tid0000000001\t10\t9\t8\t1e-06\t1"},
	}
	for _, job := range questions() {
		t.Run(job.Name(), func(t *testing.T) {
			t.Parallel()
			jobstest.Run(t, job, jobstest.File("", "table.csv", table), jobstest.Strict()).Want(want[job.Name()]...)
		})
	}
	if len(want) != len(questions()) {
		t.Errorf("%d questions, %d answers", len(questions()), len(want))
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, join, jobstest.Strict(),
		jobstest.File("orders", "orders.csv", "number,product,pieces\no1,hay,3\no2,rope,1\no3,none,9\no4,hay,2\n"),
		jobstest.File("products", "products.csv", "product,cents\nhay,10\nrope,25\nrake,1\n"),
	).Want("o1\thay\t30", "o2\trope\t25", "o4\thay\t20")
}

// TestRefused verifies that a table of another form is an error.
func TestRefused(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"id001,id002,id003,4,9,7,1,15":                            "9 columns",
		"id001,id002,id003,4,9,7,1,15,0.500000,1":                 "9 columns",
		"id001,id002,id003,4,9,7,x,15,0.500000":                   "x",
		"id001,id002,id003,4,9,7,1,15,0.5":                        "six decimals",
		"id001,id002,id003,4,9,7,1,15,9999999999999999999.500000": "out of range",
	} {
		_, err := run(t.Context(), questions()[2], map[string]string{"": "header\n" + line + "\n"})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one with %q", line, err, says)
		}
	}
}

// run runs a job over inputs, by their names, in memory.
func run(ctx context.Context, job *jobs.Job, in map[string]string) (*windrow.Result, error) {
	o := windrow.Options{Output: "mem://out", Stores: store.Options{Mem: new(store.MemSpace)}}
	root, err := store.Open(ctx, "mem://in", o.Stores)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for name, text := range in {
		if err := root.Put(ctx, "in-"+name, []byte(text), store.Scratch); err != nil {
			return nil, err
		}
		url := "mem://in/in-" + name
		if name != "" {
			url = name + "=" + url
		}
		o.Input = append(o.Input, url)
	}
	return windrow.Run(ctx, job, o)
}

func BenchmarkJobs(b *testing.B) {
	const rows = 100_000
	input := func(kind inputs.Kind, count int64) string {
		var text bytes.Buffer
		if err := inputs.Write(&text, kind, count); err != nil {
			b.Fatal(err)
		}
		return text.String()
	}
	text, groups := input(inputs.Words, 20*rows), input(inputs.Groups, rows)
	both := map[string]string{"orders": input(inputs.Orders, rows), "products": input(inputs.Products, rows/10)}
	for _, job := range all() {
		in := both
		switch {
		case strings.HasPrefix(job.Name(), "groupby-"):
			in = map[string]string{"": groups}
		case strings.HasPrefix(job.Name(), "words"):
			in = map[string]string{"": text}
		}
		b.Run(job.Name(), func(b *testing.B) {
			for b.Loop() {
				if _, err := run(b.Context(), job, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
