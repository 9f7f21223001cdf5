package api

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/output"
)

var (
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	labelForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_./-]*[A-Za-z0-9])?$`)
	jobForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$`)
	keyForm    = regexp.MustCompile(`^[!-~]+$`) // visible ASCII: it is hashed, but also shown in errors
)

// checkSubmission refuses a submission that no cluster can run.
func checkSubmission(s *client.Submission) error {
	bad := func(format string, args ...any) error { return client.Errorf(plan.Invalid, format, args...) }
	switch {
	case s.Job == "":
		return bad("job is missing: it names the job in its program")
	case !jobForm.MatchString(s.Job):
		return bad("job %q: a name has lower-case letters, digits and hyphens", clipped(s.Job))
	case s.Plan == "":
		return bad("plan is missing: it is the text of the pipeline that the job's constructor builds")
	case s.Output == "":
		return bad("output is missing: it is the URL of the output")
	case len(s.Output) > urlMost:
		return bad("output has more than %d bytes", urlMost)
	case len(s.Input) > inputsMost:
		return bad("input: there are %d, but at most %d are allowed; a pattern or a directory names many objects", len(s.Input), inputsMost)
	case len(s.Params) > paramsMost:
		return bad("params: there are %d, but at most %d are allowed", len(s.Params), paramsMost)
	case s.IdempotencyKey != "" && (len(s.IdempotencyKey) > keyMost || !keyForm.MatchString(s.IdempotencyKey)):
		return bad("idempotencyKey must have 1 to %d visible characters of ASCII", keyMost)
	case s.Partitions < 0:
		return bad("partitions %d is negative; 0 lets the cluster choose", s.Partitions)
	case s.SplitSize < 0:
		return bad("splitSize %d is negative; 0 lets the cluster choose", s.SplitSize)
	case s.Trial.Check() != nil:
		return bad("trial: %v", s.Trial.Check())
	case badRecords(s) != nil:
		return bad("badRecords: %v", badRecords(s))
	case expectations(s) != nil:
		return bad("expect: %s", clipped(expectations(s).Error()))
	case replay(s) != nil:
		return bad("replay: %s", clipped(replay(s).Error()))
	case plan.CheckAttempts(s.Attempts) != nil:
		return bad("%v", plan.CheckAttempts(s.Attempts))
	case s.MaxDecompressed < 0:
		return bad("maxDecompressed %d is negative; 0 means no limit", s.MaxDecompressed)
	case s.Priority < 0 || s.Priority > 1_000_000:
		return bad("priority %d is not between 1 and 1000000; 100 is the default", s.Priority)
	case len(s.Bundles) > 0 && s.Build != "":
		return bad("build is for jobs that are built into windrow, and has no meaning beside bundles")
	case len(s.Bundles) == 0 && s.Build == "":
		return bad("bundles is missing: upload the program and name it; or name the build, for a job that is built into windrow")
	}
	for _, in := range s.Input {
		if in == "" || len(in) > urlMost {
			return bad("input: a URL has %d bytes, but must have 1 to %d", len(in), urlMost)
		}
	}
	if _, err := output.ParseMode(orElse(s.OnExists, string(output.Fail))); err != nil {
		return bad("onExists: %s", clipped(err.Error()))
	}
	if _, err := compress.ParseOutput(s.Compress); err != nil {
		return bad("compress: %s", clipped(err.Error()))
	}
	if d := s.Decompress; d != "" && d != "auto" {
		if _, err := compress.Parse(d); err != nil {
			return bad("decompress: %s", clipped(err.Error()))
		}
	}
	if err := checkBundles(s); err != nil {
		return err
	}
	if err := plan.CheckFiles(s.Files); err != nil {
		return bad("%s", clipped(err.Error()))
	}
	return checkLabels(s.Labels)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func checkBundles(s *client.Submission) error {
	if len(s.Bundles) > bundlesMost {
		return client.Errorf(plan.Invalid, "bundles: there are %d, but at most %d are allowed", len(s.Bundles), bundlesMost)
	}
	seen := map[string]bool{}
	for i, b := range s.Bundles {
		machine := b.OS + "/" + b.Arch
		switch {
		case !digestForm.MatchString(b.Digest):
			return client.Errorf(plan.Invalid, "bundles[%d].sha256 must have 64 hexadecimal digits, in lower case", i)
		case !labelForm.MatchString(b.OS) || !labelForm.MatchString(b.Arch) || strings.Contains(b.OS+b.Arch, "/"):
			return client.Errorf(plan.Invalid, "bundles[%d]: os and arch are missing or invalid; they are like linux and amd64", i)
		case b.Size <= 0:
			return client.Errorf(plan.Invalid, "bundles[%d].size %d is not a size", i, b.Size)
		case seen[machine]:
			return client.Errorf(plan.Invalid, "bundles: there are two for %s", clipped(machine))
		}
		seen[machine] = true
	}
	return nil
}

func checkLabels(labels map[string]string) error {
	if len(labels) > labelsMost {
		return client.Errorf(plan.Invalid, "labels: there are %d, but at most %d are allowed", len(labels), labelsMost)
	}
	for name, value := range labels {
		if len(name) > labelMost || !labelForm.MatchString(name) {
			return client.Errorf(plan.Invalid, "label %q: a name has 1 to %d letters, digits and any of _ . / - between them", clipped(name), labelMost)
		}
		if len(value) > labelMost || value != "" && !labelForm.MatchString(value) {
			return client.Errorf(plan.Invalid, "label %s=%q: a value has up to %d letters, digits and any of _ . / - between them", name, clipped(value), labelMost)
		}
	}
	return nil
}

// expectations returns what is wrong with the expectations.
func expectations(s *client.Submission) error {
	if len(s.Expect) > expectMost {
		return fmt.Errorf("there are %d, but at most %d are allowed", len(s.Expect), expectMost)
	}
	_, err := plan.ParseExpectations(plan.AllExpected(s.Plan, s.Expect))
	return err
}

// badRecords returns what is wrong with the policy on bad records.
func badRecords(s *client.Submission) error {
	_, err := plan.ParseBadRecords(s.BadRecords)
	return err
}

// replay returns what is wrong with the replay of another job.
func replay(s *client.Submission) error {
	return plan.CheckReplay(s.Replay, orElse(s.OnExists, string(output.Append)), s.Trial)
}
