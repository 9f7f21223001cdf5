package api

import (
	"fmt"
	"net/http"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
)

func (s *server) workers(w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).err; err != nil {
		return err
	}
	all, err := s.backend.Workers(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []client.Worker{}
	}
	write(w, http.StatusOK, client.Workers{Workers: all})
	return nil
}

func (s *server) drain(w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).err; err != nil {
		return err
	}
	id := r.PathValue("id")
	if id == "" || len(id) > maxIDs {
		return client.Errorf(plan.NotFound, "there is no worker %q", clipped(id))
	}
	if err := s.backend.Drain(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) cluster(w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).err; err != nil {
		return err
	}
	c, err := s.backend.Cluster(r.Context())
	if err != nil {
		return err
	}
	write(w, http.StatusOK, c)
	return nil
}

func (s *server) collect(w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).err; err != nil {
		return err
	}
	var what client.CollectGarbage
	if err := read(w, r, maxBody, &what); err != nil {
		return err
	}
	gone, err := s.backend.Collect(r.Context(), what.DryRun)
	if err != nil {
		return err
	}
	if gone.Jobs == nil {
		gone.Jobs = []client.GarbageItem{}
	}
	write(w, http.StatusOK, gone)
	return nil
}

// digestOf returns the digest that a path names.
func digestOf(r *http.Request) (string, error) {
	digest := r.PathValue("sha256")
	if !digestForm.MatchString(digest) {
		return "", client.Errorf(plan.Invalid, "%q is not a SHA-256 in 64 hexadecimal digits, in lower case", clipped(digest))
	}
	return digest, queryOf(r).err
}

func (s *server) hasBundle(w http.ResponseWriter, r *http.Request) error {
	digest, err := digestOf(r)
	if err != nil {
		return err
	}
	there, err := s.backend.HasBundle(r.Context(), digest)
	if err != nil {
		return err
	}
	if !there {
		return client.Errorf(plan.NotFound, "there is no bundle %s", digest)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *server) putBundle(w http.ResponseWriter, r *http.Request) error {
	digest, err := digestOf(r)
	if err != nil {
		return err
	}
	switch {
	case r.ContentLength < 0:
		return &client.Error{Status: http.StatusLengthRequired, Kind: plan.Invalid, Text: "the upload of a bundle needs a Content-Length"}
	case r.ContentLength == 0:
		return client.Errorf(plan.Invalid, "an empty bundle is not a program")
	case r.ContentLength > s.cfg.MaxBundle:
		return &client.Error{Status: http.StatusRequestEntityTooLarge, Kind: plan.Invalid,
			Text: fmt.Sprintf("a bundle of %d bytes is too large for this cluster: at most %d; strip the binary with -ldflags=-s", r.ContentLength, s.cfg.MaxBundle)}
	}
	if err := s.backend.PutBundle(r.Context(), digest, r.ContentLength, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) document(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // a client that no longer listens needs no error
	return nil
}

// healthy answers that the process is up, and no more, because it needs no token.
func (s *server) healthy(w http.ResponseWriter, _ *http.Request) error {
	write(w, http.StatusOK, health{"up"})
	return nil
}

// ready answers whether the master leads or could lead. If not, the cause is only
// in its log.
func (s *server) ready(w http.ResponseWriter, r *http.Request) error {
	if err := s.backend.Ready(r.Context()); err != nil {
		s.cfg.Log.Warn("not ready", "err", err)
		return client.Errorf(plan.Unavailable, "not ready: the master's log says why")
	}
	write(w, http.StatusOK, health{"ready"})
	return nil
}

type health struct {
	Status string `json:"status"`
}
