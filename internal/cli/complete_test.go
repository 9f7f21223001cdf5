package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// candidates returns the words that may come next, without their meanings.
func candidates(t *testing.T, typed ...string) (words []string) {
	t.Helper()
	typed[len(typed)-1] = "@" + typed[len(typed)-1]
	for line := range strings.Lines(newUser(t).must(t, append([]string{completeName}, typed...)...)) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		words = append(words, word)
	}
	return words
}

// TestComplete verifies the words that a shell offers at a place of a command line.
func TestComplete(t *testing.T) {
	t.Parallel()
	files := []string{wantFiles}
	for _, tt := range []struct {
		typed []string
		want  []string
	}{
		{[]string{"ru"}, []string{"run"}},
		{[]string{"can"}, []string{"cancel"}},
		{[]string{"run", "word"}, []string{"wordcount"}},
		{[]string{"context", ""}, []string{"ls", "use", "set", "rename", "rm"}},
		{[]string{"workers", "dr"}, []string{"drain"}},
		{[]string{"submit", "./cm"}, files},
		{[]string{"submit", "wordc"}, []string{"wordcount", wantFiles}},
		{[]string{"submit", "./cmd/x", "--lab"}, []string{"--label"}},
		{[]string{"cat", ""}, files},
		{[]string{"cat", "some"}, files},
		{[]string{"jobs", ""}, nil},
		{[]string{"run", "wordcount", "--on-exists", ""}, []string{"fail", "replace", "append"}},
		{[]string{"run", "wordcount", "--on-exists", "re"}, []string{"replace"}},
		{[]string{"run", "wordcount", "--compress=z"}, []string{"--compress=zstd"}},
		{[]string{"run", "wordcount", "--compress", "=", "g"}, []string{"gzip"}}, // as bash splits words
		{[]string{"run", "wordcount", "--compress", "="}, []string{"none", "gzip", "lz4", "zstd"}},
		{[]string{"run", "wordcount", "--decompress", "b"}, []string{"bzip2"}},
		{[]string{"run", "wordcount", "--out", ""}, files},
		{[]string{"run", "wordcount", "-i", "x"}, files},
		{[]string{"run", "wordcount", "--slots", ""}, nil}, // a number
		{[]string{"run", "wordcount", "--unknown=x"}, nil},
		{[]string{"run", "wordcount", "--spl"}, []string{"--split-size"}},
		{[]string{"run", "wordcount", "--input", "x", "--spl"}, []string{"--split-size"}},
		{[]string{"run", "wordcount", "--quiet", "--spl"}, []string{"--split-size"}}, // a switch has no value
		{[]string{"run", "grep", "--patt"}, []string{"--pattern"}},
		{[]string{"run", "grep", "--input", "--patt"}, files}, // the value of --input
		{[]string{"ls", "--state", "run"}, []string{"running", "running"}},
		{[]string{"tasks", "--phase", ""}, []string{"map", "plan", "reduce", "sample"}},
		{[]string{"tasks", "--sort", "d"}, []string{"duration"}},
		{[]string{"ls", "-o", "j"}, []string{"json"}},
		{[]string{"ls", "--master", ""}, nil},
		{[]string{"ls", "--token-file", ""}, files},
	} {
		if got := candidates(t, slices.Clone(tt.typed)...); !slices.Equal(got, tt.want) {
			t.Errorf("after %q come %q, want %q", tt.typed, got, tt.want)
		}
	}
}

// TestCompleteCommands verifies that all commands are offered that a user may type, each
// with its meaning.
func TestCompleteCommands(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	offered := u.must(t, completeName, "@")
	for _, command := range []string{"run", "plan", "jobs", "cat", "doctor", "submit", "ls", "get", "watch", "logs", "cancel", "completion", "version"} {
		if !strings.Contains("\n"+offered, "\n"+command+"\t") {
			t.Errorf("%s is not offered", command)
		}
	}
	for line := range strings.Lines(offered) {
		word, meaning, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(word, "_") || word == "job-process" || meaning == "" {
			t.Errorf("%q is offered", line)
		}
	}
	if printed := u.must(t, completeName); printed != "" {
		t.Errorf("without words there is offered %q", printed)
	}
}

// TestCompletionScripts verifies that the script of each shell asks the program by the
// name that it was started with.
func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script := newUser(t).must(t, "completion", shell)
		if !strings.Contains(script, completeName) || !strings.Contains(script, "windrow") {
			t.Errorf("the script for %s does not ask windrow:\n%s", shell, script)
		}
		var b strings.Builder
		if err := writeScript(&b, shell, "my-jobs.2"); err != nil {
			t.Fatal(err)
		}
		if own := b.String(); !strings.Contains(own, "my-jobs.2") || strings.Contains(own, "PROGRAM") || strings.Contains(own, "IDENTIFIER") || strings.Contains(own, "windrow") {
			t.Errorf("the script for %s of another program:\n%s", shell, own)
		}
	}
	u := newUser(t)
	for _, tt := range []struct {
		args []string
		says string
	}{{[]string{"completion"}, "powershell"}, {[]string{"completion", "bsh"}, `"bash"`}, {[]string{"completion", "bash", "x"}, `"x"`}} {
		if code, stdout, stderr := u.do(t, tt.args...); code != exitInvalid || stdout != "" || !strings.Contains(stderr, tt.says) {
			t.Errorf("%q: exit %d: %s%s", tt.args, code, stdout, stderr)
		}
	}
}

// TestCompleteNamesOfTheCluster verifies that a shell offers the jobs and workers of the
// cluster and the user's contexts, and that it gets nothing where no master answers.
func TestCompleteNamesOfTheCluster(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	b.SetWorkers(client.Worker{ID: "w-1111", Host: "h1", State: client.WorkerReady})
	u := newUser(t, "WINDROW_MASTER", url)
	id := u.submitted(t)
	u.must(t, "context", "set", "prod", "--master", "http://127.0.0.1:1")
	u.must(t, "submit", firstJob, "wordcount", "--help") // it is built: a completion does not wait long for that
	for _, tt := range []struct{ typed, want string }{
		{"get @", id + "\twordcount, planning"}, {"cancel @" + strings.ToLower(id[:9]), id + "\twordcount, planning"}, {"logs @x", ""},
		{"workers drain @", "w-1111\tready on h1\nh1\tall workers of the host"}, {"workers drain @h", "h1\tall workers of the host"},
		{"context use @", "prod\thttp://127.0.0.1:1"}, {"context rm @x", ""}, {"ls --context @p", "prod\thttp://127.0.0.1:1"},
		{"submit " + firstJob + " @", "wordcount"}, {"submit " + firstJob + " wordcount @", ""}, {"submit ./nowhere @", ""},
	} {
		if got := strings.TrimSpace(u.must(t, append([]string{completeName}, strings.Fields(tt.typed)...)...)); got != tt.want {
			t.Errorf("after %s come %q, want %q", tt.typed, got, tt.want)
		}
	}
	u.env["WINDROW_MASTER"] = "http://127.0.0.1:1"
	if code, stdout, stderr := u.do(t, completeName, "get", "@"); code != exitOK || stdout+stderr != "" {
		t.Errorf("without a master: exit %d: %s%s", code, stdout, stderr)
	}
}
