package shuffle

const (
	// getLeast is how much a request should fetch. With less, the round trip
	// takes longer than the bytes.
	getLeast = 1 << 20
	// getMost bounds the bytes of one request, and so the cost of one that is
	// lost or slow.
	getMost = 16 << 20
	// getsAtOnce is how many requests for one group are under way at the same
	// time.
	getsAtOnce = 64
	// groupMost is how many adjacent partitions one request covers at most.
	groupMost = 64
	// groupShare is the part of a share that one group may take: two of them,
	// the one in use and the next, leave half for merging.
	groupShare = 4
	// spareRoom is the part by which a range's buffer is larger, so that the
	// next group's ranges fit into it, too.
	spareRoom = 16
	// batchGuess is the length of a batch when the pairs are unknown.
	batchGuess = 256 << 10
)

// Shape is the part of a shuffle that decides which requests reducers make. All
// its results depend only on its fields. So all processes that know the results
// of the maps decide the same, and a plan can show it before anything runs.
type Shape struct {
	Runs       int   // that maps leave, with pairs of every partition
	Partitions int   // of each
	Bytes      int64 // of all runs
	Memory     int64 // share of one attempt
	// Holders is how many processes reduce at the same time, each with groups
	// of its own. 0 means 1.
	Holders int
	Remote  bool // a request costs a round trip
}

// ReadGroup returns for how many adjacent partitions one request fetches the
// data of a run: a power of two. 1 means that each partition is fetched by
// itself.
func (s Shape) ReadGroup() int {
	if !s.Remote || s.Runs < 1 || s.Partitions < 2 || s.Bytes <= 0 || s.Memory < 2*MinShare {
		return 1
	}
	most := min(groupMost, s.Partitions/max(s.Holders, 1))
	enough := float64(getLeast) * float64(s.Runs) * float64(s.Partitions) / float64(s.Bytes)
	room := float64(s.Memory/groupShare) * spareRoom / (spareRoom + 1) * float64(s.Partitions) / float64(s.Bytes)
	g := 1
	for 2*g <= most && float64(g) < enough && float64(2*g) <= room {
		g *= 2
	}
	return g
}

// Gets returns how many requests for ranges all reducers make, if no extent is
// empty, every group is fetched once, and no merge needs a second pass.
func (s Shape) Gets() int64 {
	if s.Runs < 1 || s.Partitions < 1 || s.Bytes <= 0 {
		return 0
	}
	g := s.ReadGroup()
	groups := int64((s.Partitions + g - 1) / g)
	extents := int64(s.Runs) * groups
	size := (s.Bytes*int64(g) + int64(s.Runs)*int64(s.Partitions) - 1) / (int64(s.Runs) * int64(s.Partitions))
	switch {
	case g > 1:
		return extents * pieces(size, getMost)
	case s.Remote:
		return extents * pieces(size, chunkFor(s.Window(), s.Bytes/int64(s.Partitions), s.Runs))
	case size <= oneRead:
		return extents
	default:
		return extents * (1 + pieces(size, batchGuess)) // the header of the first batch, then batch by batch
	}
}

// Window returns how many bytes of one partition may be on their way to an
// attempt that reads no group: the Spec.Window of the attempt.
func (s Shape) Window() int64 { return s.Memory / groupShare }

// chunkFor returns how many bytes to request at a time when that many runs, of
// total bytes together, are read side by side in room bytes: all of a run, or
// chunks of which there are two for each run.
func chunkFor(room, total int64, runs int) int64 {
	if total <= room {
		return getMost
	}
	chunk := room / int64(2*max(runs, 1)) &^ (64<<10 - 1)
	return max(aheadLeast, min(getMost, chunk))
}

// pieces returns how many requests of at most piece bytes fetch size bytes.
func pieces(size, piece int64) int64 { return max(1, (size+piece-1)/piece) }
