package cli

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/store/fault"
)

// chaosFlags make stores fail on purpose.
func chaosFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "chaos", Usage: `make the stores fail on purpose according to ` + "`PLAN`" + `, such as "503:10%, reset:2%, flip:0.1%"`},
		&cli.Uint64Flag{Name: "chaos-seed", Usage: "seed `N`, which decides the requests that fail", DefaultText: "random, and shown in the summary"},
	}
}

// drawnSeeds is the number of seeds to draw from. It is small, so that seeds are
// short to type again.
const drawnSeeds = 1_000_000

// chaos returns the injector that makes the stores fail, nil for none.
func chaos(c *cli.Context) (*fault.Injector, error) {
	if !c.IsSet("chaos") {
		if c.IsSet("chaos-seed") {
			return nil, invalidf(c, "--chaos-seed needs --chaos")
		}
		return nil, nil
	}
	plan, err := fault.Parse(c.String("chaos"))
	if err != nil {
		return nil, invalidf(c, "--chaos, %v", err)
	}
	faults := fault.New(plan...)
	faults.Seed = c.Uint64("chaos-seed")
	if !c.IsSet("chaos-seed") {
		faults.Seed = rand.Uint64N(drawnSeeds)
	}
	return faults, nil
}

// reportChaos describes the faults that were injected.
type reportChaos struct {
	Plan     string           `json:"plan"`
	Seed     uint64           `json:"seed"`
	Injected map[string]int64 `json:"injected"`
	LeftOut  map[string]int64 `json:"leftOut,omitempty"` // no checksum would show them
}

// newReportChaos returns nil without faults.
func newReportChaos(faults *fault.Injector) *reportChaos {
	if faults == nil {
		return nil
	}
	r := faults.Report()
	return &reportChaos{r.Plan, r.Seed, byFault(r.Injected), byFault(r.LeftOut)}
}

func byFault(counts []fault.Count) map[string]int64 {
	by := make(map[string]int64, len(counts))
	for _, c := range counts {
		by[c.Fault] = c.Times
	}
	return by
}

// chaosText lists the faults that were injected, and those that were left out.
func chaosText(r fault.Report) string {
	text := fmt.Sprintf("%s (seed %d)", times(r.Injected), r.Seed)
	if len(r.LeftOut) > 0 {
		text += "; left out " + times(r.LeftOut) + ", in bytes for which the store has no checksum"
	}
	return text
}

// times lists faults with their numbers: "312 × 503, 41 × reset".
func times(counts []fault.Count) string {
	if len(counts) == 0 {
		return "no fault"
	}
	texts := make([]string, len(counts))
	for i, c := range counts {
		texts[i] = number(c.Times) + " × " + c.Fault
	}
	return strings.Join(texts, ", ")
}
