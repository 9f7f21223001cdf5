package fault_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// A plan is text. Parameters have defaults, and a plan prints as text again.
func ExampleParse() {
	rules, err := fault.Parse("503:10%   burst=3, lost:#1 put key=**/_windrow/**")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rules)
	for _, r := range rules {
		fmt.Printf("%v%% %d times on %q of %q\n", r.Percent, r.Burst, r.Op, r.Key)
	}
	// Output:
	// 503:10% burst=3, lost:#1 put key=**/_windrow/**
	// 10% 3 times on "" of ""
	// 0% 0 times on "put" of "**/_windrow/**"
}

// An error names the wrong word, its place, and the valid ones.
func ExampleParse_mistake() {
	_, err := fault.Parse("slow:5% for=soon")
	fmt.Println(err)
	// Output: character 9 of "slow:5% for=soon": "for=soon": for= takes a duration such as 200ms
}

// A store throttles the first two tries of every put. Retries survive that, and
// the report says what happened.
func ExampleInjector_Wrap() {
	ctx := context.Background()
	rules, err := fault.Parse("503:#1-2 put")
	if err != nil {
		log.Fatal(err)
	}
	faults := fault.New(rules...)
	root, err := store.Open(ctx, "mem://", store.Options{Wrap: faults.Wrap, Retry: store.Retry{Base: time.Millisecond}})
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	fmt.Println(root.Put(ctx, "x", []byte("x"), store.Scratch))
	fmt.Println(root.Usage().Puts, "puts,", root.Usage().Retries, "retries")
	fmt.Println(faults.Report().Injected)
	// Output:
	// <nil>
	// 3 puts, 2 retries
	// [{503 2}]
}

// Rules can be written as values too. This one refuses every deletion.
func ExampleNew() {
	ctx := context.Background()
	faults := fault.New(fault.Rule{Op: fault.Delete, Times: -1, Kind: plan.Denied})
	root, err := store.Open(ctx, "mem://bucket", store.Options{Wrap: faults.Wrap})
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	fmt.Println(root.Delete(ctx, "x"))
	// Output: delete mem://bucket/x: permission denied: injected fault: expired
}
