package api

import "slices"

// Operations returns the operations that the handler serves: "GET /v1/jobs".
func Operations() []string {
	var all []string
	for _, r := range routes() {
		all = append(all, r.method+" "+r.path)
	}
	slices.Sort(all)
	return all
}
