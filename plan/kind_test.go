package plan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// kinded is an error that has a kind.
type kinded struct{ kind plan.Kind }

func (k kinded) Error() string          { return "it failed" }
func (k kinded) FailureKind() plan.Kind { return k.kind }

// TestKindOf: the outermost error that has a kind decides.
func TestKindOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want plan.Kind
	}{
		"no error":              {nil, plan.Unknown},
		"an error":              {errors.New("x"), plan.Unknown},
		"an error with a kind":  {kinded{plan.Denied}, plan.Denied},
		"wrapped":               {fmt.Errorf("open: %w", kinded{plan.Corrupt}), plan.Corrupt},
		"the first of several":  {fmt.Errorf("%w: %w", kinded{plan.Failed}, kinded{plan.Denied}), plan.Failed},
		"of a file":             {&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, plan.NotFound},
		"of a file that is":     {fs.ErrExist, plan.Exists},
		"of a forbidden file":   {fs.ErrPermission, plan.Denied},
		"of a context":          {context.Canceled, plan.Interrupted},
		"of a deadline":         {fmt.Errorf("get: %w", context.DeadlineExceeded), plan.Interrupted},
		"a kind above a system": {fmt.Errorf("%w: %w", kinded{plan.Unavailable}, fs.ErrNotExist), plan.Unavailable},
	} {
		if got := plan.KindOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestKindsHaveNames: every kind has words and a name of its own, which is read back.
func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, k := range plan.Kinds() {
		b, err := json.Marshal(k)
		var back plan.Kind
		if err != nil || json.Unmarshal(b, &back) != nil || back != k || seen[string(b)] || seen[k.String()] || k.String() == "" {
			t.Errorf("%v is %s, %v, and reads as %v", k, b, err, back)
		}
		seen[string(b)], seen[k.String()] = true, true
	}
	k := plan.Denied
	if err := json.Unmarshal([]byte(`"ofANewerBuild"`), &k); err != nil || k != plan.Unknown {
		t.Errorf("an unknown name reads as %v, %v", k, err)
	}
	if err := json.Unmarshal([]byte(`7`), &k); err == nil {
		t.Error("a number reads as a kind")
	}
}

// TestParseInput: a name is separated only where it cannot be part of a URL or a path.
func TestParseInput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"left=data/x":           {"left", "data/x"},
		"left=s3://b/p?a=b":     {"left", "s3://b/p?a=b"},
		"s3://b/p?a=b":          {"", "s3://b/p?a=b"},
		"data/dt=2026-11-28/*":  {"", "data/dt=2026-11-28/*"},
		"dt=2026":               {"dt", "2026"},
		"=x":                    {"", "=x"},
		"a.b=c":                 {"", "a.b=c"},
		"x":                     {"", "x"},
		"":                      {"", ""},
		"name=":                 {"name", ""},
		"file:///x=y":           {"", "file:///x=y"},
		"logs?=x":               {"", "logs?=x"},
		"left=right=middle.txt": {"left", "right=middle.txt"},
	} {
		if name, url := plan.ParseInput(text); name != want[0] || url != want[1] {
			t.Errorf("%q is %q and %q, want %q", text, name, url, want)
		}
	}
}
