package client_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
)

// follow is the snippet of README.md that uses this package.
func follow(ctx context.Context, master, id string) error {
	cluster, err := client.New(client.Config{URLs: []string{master}})
	if err != nil {
		return err
	}
	for event, err := range cluster.Watch(ctx, plan.JobID(id)) { // the id that submit printed
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s, %.0f%%\n", event.Job.Job, event.Job.State, 100*event.Job.Progress.Fraction)
	}
	return nil
}

func ExampleClient_Watch() {
	master := apitest.New()
	master.Set(&apitest.Job{Job: client.Job{ID: apitest.ID(1), Job: "wordcount", State: client.Succeeded, Progress: client.Progress{Fraction: 1}}})
	server := httptest.NewServer(api.Handler(master, api.Config{Loopback: true}))
	defer server.Close()
	if err := follow(context.Background(), server.URL, string(apitest.ID(1))); err != nil {
		fmt.Println(err)
	}
	// Output: wordcount: succeeded, 100%
}

// TestReadme verifies that README.md holds the snippet above.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := strings.ReplaceAll(string(source), "\n\t", "\n")
	found := 0
	for _, block := range strings.Split(string(readme), "```go\n")[1:] {
		snippet, _, closed := strings.Cut(block, "```")
		if !strings.Contains(snippet, "client.") {
			continue
		}
		if found++; !closed || !strings.Contains(compiled, "\n"+snippet) {
			t.Errorf("the example does not hold this snippet of README.md:\n%s", snippet)
		}
	}
	if found != 1 {
		t.Errorf("%d snippets use the client", found)
	}
}
