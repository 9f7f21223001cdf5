package recipes_test

// recipes are all examples.
var recipes = map[string]func(){
	"Example_badRecordsAside":         Example_badRecordsAside,
	"Example_coOccurrence":            Example_coOccurrence,
	"Example_connectedComponents":     Example_connectedComponents,
	"Example_countDistinct":           Example_countDistinct,
	"Example_dedupKeepingTheNewest":   Example_dedupKeepingTheNewest,
	"Example_fanOut":                  Example_fanOut,
	"Example_histogram":               Example_histogram,
	"Example_invertedIndex":           Example_invertedIndex,
	"Example_kMeans":                  Example_kMeans,
	"Example_movingAverage":           Example_movingAverage,
	"Example_pageRank":                Example_pageRank,
	"Example_percentiles":             Example_percentiles,
	"Example_pivot":                   Example_pivot,
	"Example_sampling":                Example_sampling,
	"Example_secondarySortWithTies":   Example_secondarySortWithTies,
	"Example_sessionsAndTotals":       Example_sessionsAndTotals,
	"Example_slowlyChangingDimension": Example_slowlyChangingDimension,
	"Example_sortByValue":             Example_sortByValue,
	"Example_threeWayJoin":            Example_threeWayJoin,
	"Example_topPerGroup":             Example_topPerGroup,
}
