package storetest

import (
	"time"

	"github.com/windrow-mr/windrow/store"
)

// uploads aborts one of two uploads, below a root whose name is a prefix of its
// neighbour's. On stores that do not list uploads, both stay.
func (s suite) uploads() {
	body := noise(8, s.features.Large)
	ours, theirs := s.begun("up/a/x", body), s.begun("up/ab/y", body)
	root := s.root.Sub("up/a")
	if !s.features.Uploads {
		s.must(root.AbortUploads(s.Context(), "", func(store.Unfinished) bool { return true }))
		s.must(ours.Commit())
		s.must(theirs.Commit())
		s.wantBody("up/a/x", body)
		return
	}
	none := func(store.Unfinished) bool { return false }
	listed := s.listed(root, "", none)
	for len(listed) == 0 && s.Context().Err() == nil {
		listed = s.listed(root, "", none) // its beginning is in flight
	}
	for _, u := range listed {
		if u.Key != "x" || u.ID == "" || time.Since(u.Began).Abs() > time.Hour {
			s.Errorf("listed: %+v", u)
		}
	}
	if other := s.listed(root, "y", none); len(other) != 0 {
		s.Errorf("below another prefix: %+v", other)
	}
	if aborted := s.listed(root, "x", func(store.Unfinished) bool { return true }); len(aborted) != len(listed) {
		s.Errorf("aborted %+v of %+v", aborted, listed)
	}
	if left := s.listed(root, "", none); len(left) != 0 {
		s.Errorf("left: %+v", left)
	}
	if err := ours.Commit(); err == nil {
		s.Error("an upload was committed that had been aborted")
	}
	s.wantAbsent("up/a/x")
	s.must(theirs.Commit())
	s.wantBody("up/ab/y", body)
}

// begun begins an object that is large enough for an upload in parts.
func (s suite) begun(key string, body []byte) *store.Writer {
	s.Helper()
	w, err := s.root.Create(s.Context(), key, store.CreateOptions{Class: store.Scratch})
	s.must(err)
	s.Cleanup(w.Abort)
	_, err = w.Write(body)
	s.must(err)
	return w
}

// listed lists the uploads below a prefix, aborts those that match, and returns
// all.
func (s suite) listed(root *store.Root, prefix string, match func(store.Unfinished) bool) (all []store.Unfinished) {
	s.Helper()
	s.must(root.AbortUploads(s.Context(), prefix, func(u store.Unfinished) bool {
		all = append(all, u)
		return match(u)
	}))
	return all
}
