//go:build image

package manifests

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const folder = "../../../deploy/kubernetes"

// TestManifests applies the files as operations.md says, and more strictly: the
// namespace, the secrets, and all files. Then it makes pods of the deployments,
// which the labelled namespace must accept. It verifies that mistakes are
// found.
func TestManifests(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.must("", "apply", "--validate=strict", "-f", folder+"/namespace.yaml")
	s.must("", "-n", "windrow", "create", "secret", "generic", "windrow-token", "--from-literal=token=0123456789abcdef0123456789abcdef")
	s.must("", "-n", "windrow", "create", "secret", "generic", "windrow-store", "--from-literal=AWS_ACCESS_KEY_ID=a", "--from-literal=AWS_SECRET_ACCESS_KEY=b", "--from-literal=AWS_REGION=c")
	if out := s.must("", "apply", "--dry-run=server", "--validate=strict", "-f", folder); strings.Contains(out, "Warning") {
		t.Errorf("the server warns:\n%s", out)
	}
	if out := s.must("", "apply", "--validate=strict", "-f", folder); strings.Contains(out, "Warning") {
		t.Errorf("the server warns:\n%s", out)
	}
	if level := s.must("", "get", "namespace", "windrow", "-o", `jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`); level != "restricted" {
		t.Errorf("pods in the namespace are %q", level)
	}
	for _, name := range []string{"windrow-master", "windrow-worker"} {
		if out, err := s.try(s.pod(name, nil), "create", "--dry-run=server", "-f", "-"); err != nil {
			t.Errorf("a pod of %s is refused: %v\n%s", name, err, out)
		}
		root := func(spec map[string]any) { spec["securityContext"] = map[string]any{} }
		if out, err := s.try(s.pod(name, root), "create", "--dry-run=server", "-f", "-"); err == nil || !strings.Contains(out, "violates PodSecurity") {
			t.Errorf("a pod of %s that may be root is answered by %v\n%s", name, err, out)
		}
	}
	s.mistakes()
}

// pod returns a pod such as a deployment makes, in JSON.
func (s *server) pod(deployment string, change func(spec map[string]any)) string {
	s.t.Helper()
	var d struct {
		Spec struct {
			Template struct {
				Metadata, Spec map[string]any
			}
		}
	}
	if err := json.Unmarshal([]byte(s.must("", "-n", "windrow", "get", "deployment", deployment, "-o", "json")), &d); err != nil {
		s.t.Fatal(err)
	}
	pod := d.Spec.Template
	pod.Metadata["name"], pod.Metadata["namespace"] = deployment, "windrow"
	if change != nil {
		change(pod.Spec)
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": pod.Metadata, "spec": pod.Spec})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// mistakes verifies that the server finds mistakes.
func (s *server) mistakes() {
	s.t.Helper()
	worker, err := os.ReadFile(folder + "/worker.yaml")
	if err != nil {
		s.t.Fatal(err)
	}
	for right, wrong := range map[string]string{"readOnlyRootFilesystem:": "readonlyRootFilesystem:", "memory: 4Gi": "memory: 4Gigs", "runAsUser: 65532": "runAsUser: nobody"} {
		text := strings.Replace(string(worker), right, wrong, 1)
		if text == string(worker) {
			s.t.Fatalf("worker.yaml has no %q", right)
		}
		if out, err := s.try(text, "apply", "--dry-run=server", "--validate=strict", "-f", "-"); err == nil {
			s.t.Errorf("%q is taken: %s", wrong, out)
		}
	}
}
