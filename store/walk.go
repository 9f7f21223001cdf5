package store

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/store/driver"
)

// A Walk says which objects of a root to find. Its functions are called by one
// goroutine, with keys relative to the root.
type Walk struct {
	// Prefix begins the keys. The directory that it names up to its last slash is the
	// one within which symbolic links must lead.
	Prefix string
	// Enter reports whether objects below a directory can match. It is called once for
	// each directory that is found, with a final slash. key is that of the directory
	// itself, and differs from its name if a symbolic link leads there. Directories of
	// equal state have the same matches below. A directory that is not entered need not
	// be readable.
	Enter func(dir, key string) (state string, enter bool)
	// Match reports whether an object is one of those to find. It is called for all
	// objects in directories that were entered.
	Match func(key string) bool
	// Skip is called for what matches and holds no bytes: links that lead nowhere, and
	// pipes, sockets and devices (special).
	Skip func(key string, special bool)
	// Deep says that matches can be at any depth. In a bucket all keys below Prefix are
	// listed then, since that takes the fewest requests.
	Deep bool
}

// Walk returns the objects that w describes, ordered by the bytes of their keys. An
// object that symbolic links give several names is returned once, under its own. A link
// that matches and leads out of the directory is an error of kind Invalid.
func (r *Root) Walk(ctx context.Context, w Walk) ([]Object, error) {
	f := &finder{root: r, walk: &w, asked: make(map[string]entered)}
	f.base = w.Prefix[:strings.LastIndexByte(w.Prefix, '/')+1]
	levels, ok := driver.As[driver.LevelLister](r.core.driver)
	var err error
	if ok && (!w.Deep || !r.core.traits.Remote) {
		f.levels, f.visited = levels, make(map[visit]bool)
		err = f.byLevel(ctx)
	} else {
		err = f.flat(ctx, w.Prefix, nil)
	}
	if err != nil {
		return nil, err
	}
	sort.Sort(byKey(f.found))
	return slices.CompactFunc(f.found, func(a, b Object) bool { return a.Key == b.Key }), nil
}

// byKey sorts objects. A slices.SortFunc of a struct as large is 40 kB of each job's
// program.
type byKey []Object

func (o byKey) Len() int           { return len(o) }
func (o byKey) Less(i, j int) bool { return o[i].Key < o[j].Key }
func (o byKey) Swap(i, j int)      { o[i], o[j] = o[j], o[i] }

// Bounds of a walk by levels in a bucket.
const (
	// levelsAtOnce is how many directories are listed at once.
	levelsAtOnce = 8
	// mostLevels is how many directories of one depth are listed one by one. For more
	// of them, a listing of all keys takes fewer requests: each returns 1,000.
	mostLevels = 64
)

// finder is one walk.
type finder struct {
	root    *Root
	walk    *Walk
	base    string
	levels  driver.LevelLister
	asked   map[string]entered // directories that Enter was called for, on a walk by levels
	visited map[visit]bool
	found   []Object
}

// entered is an answer of Enter.
type entered struct {
	state string
	enter bool
}

// enter calls Enter, once for each directory.
func (f *finder) enter(dir, key string) entered {
	e, known := f.asked[dir]
	if !known {
		e.state, e.enter = f.walk.Enter(dir, key)
	}
	return e
}

// place is a directory to list: its name, which decides what matches, and its key,
// which differs from the name if a link leads there.
type place struct{ name, key, state string }

// visit identifies a directory that was listed, and what could match in it.
type visit struct{ key, state string }

// byLevel lists one directory after the other: first the tree itself, then what links to
// directories lead to. A directory is listed once for each state, so that links in a
// circle end.
func (f *finder) byLevel(ctx context.Context) error {
	next := []place{{f.base, f.base, ""}}
	var links []place
	prefix := f.walk.Prefix
	for len(next) > 0 {
		if f.root.core.traits.Remote && len(next) > mostLevels {
			return f.flat(ctx, commonDir(next), next)
		}
		var below []place
		for some := range slices.Chunk(next, mostLevels) {
			pages, err := f.list(ctx, some, prefix)
			if err != nil {
				return err
			}
			for i, at := range some {
				f.visited[visit{at.key, at.state}] = true
				for j := range pages[i] {
					if below, links, err = f.take(at, &pages[i][j], below, links); err != nil {
						return err
					}
				}
			}
		}
		next, prefix = below, ""
		for len(next) == 0 && len(links) > 0 {
			if to := links[0]; !f.visited[visit{to.key, to.state}] {
				next = []place{to}
			}
			links = links[1:]
		}
	}
	return nil
}

// list returns the entries of directories. The prefix, if there is one, is that of the
// first and only directory.
func (f *finder) list(ctx context.Context, dirs []place, prefix string) ([][]driver.Entry, error) {
	pages := make([][]driver.Entry, len(dirs))
	listing, ctx := errgroup.WithContext(ctx)
	listing.SetLimit(1)
	if f.root.core.traits.Remote {
		listing.SetLimit(levelsAtOnce)
	}
	for i, dir := range dirs {
		listing.Go(func() (err error) {
			pages[i], err = f.listOne(ctx, cmp.Or(prefix, dir.key))
			return err
		})
	}
	return pages, listing.Wait()
}

func (f *finder) listOne(ctx context.Context, prefix string) ([]driver.Entry, error) {
	r := f.root
	pager := f.levels.ListLevel(r.prefix+f.base, r.prefix+prefix)
	var all []driver.Entry
	for {
		var page []driver.Entry
		var last bool
		err := r.core.control(ctx, listRequest, r.prefix+prefix, func(ctx context.Context) (err error) {
			page, last, err = pager.Next(ctx)
			return err
		})
		if err != nil {
			return nil, r.fail("list", prefix, err)
		}
		for i := range page {
			page[i].Key = page[i].Key[len(r.prefix):]
			if page[i].Link {
				page[i].Target = page[i].Target[len(r.prefix):]
			}
		}
		if all = append(all, page...); last {
			return all, nil
		}
	}
}

// take handles an entry of a directory.
func (f *finder) take(at place, e *driver.Entry, below, links []place) (_, _ []place, err error) {
	name, own := at.name+e.Key[len(at.key):], e.Key
	fail := func() error { return f.root.fail("list", own, e.Err) }
	switch e.Kind {
	case driver.IsDirectory:
		if e.Link {
			e.Key = e.Target
		}
		to := f.enter(name, e.Key)
		if f.root.core.traits.Remote {
			f.asked[name] = to
		}
		switch {
		case !to.enter:
		case e.Err != nil:
			return below, links, fail()
		case f.visited[visit{e.Key, to.state}]:
		case e.Link:
			links = append(links, place{name, e.Key, to.state})
		default:
			below = append(below, place{name, e.Key, to.state})
		}
	case driver.IsUnknown:
		if f.walk.Match(name) || f.enter(name+"/", e.Key+"/").enter {
			return below, links, fail()
		}
	case driver.IsBroken, driver.IsSpecial:
		if f.walk.Match(name) {
			f.walk.Skip(name, e.Kind == driver.IsSpecial)
		}
	default:
		switch {
		case !f.walk.Match(name):
		case e.Err != nil:
			return below, links, fail()
		default:
			if e.Link {
				e.Key = e.Target
			}
			f.found = append(f.found, e.Object)
		}
	}
	return below, links, nil
}

// commonDir returns the directory that all of these are in.
func commonDir(dirs []place) string {
	common := dirs[0].key
	for _, d := range dirs {
		common = common[:commonPrefix(common, d.key)]
	}
	return common[:strings.LastIndexByte(common, '/')+1]
}

// flat lists all keys that begin with a prefix, and finds the directories in them. If
// there are places, which have the same depth, only keys below them count.
func (f *finder) flat(ctx context.Context, prefix string, places []place) error {
	within, depth := make(map[string]bool, len(places)), 0
	for _, p := range places {
		within[p.key], depth = true, strings.Count(p.key, "/")
	}
	parent := f.base // of the key before, all of whose directories were entered
	skip := ""
	for o, err := range f.root.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if skip != "" && strings.HasPrefix(o.Key, skip) || depth > 0 && !within[dirAt(o.Key, depth)] {
			continue
		}
		skip = ""
		for at := len(f.base); skip == ""; {
			n := strings.IndexByte(o.Key[at:], '/')
			if n < 0 {
				break
			}
			at += n + 1
			if dir := o.Key[:at]; !strings.HasPrefix(parent, dir) {
				if !f.enter(dir, dir).enter {
					skip = dir
				}
				parent = dir
			}
		}
		if skip == "" && f.walk.Match(o.Key) {
			f.found = append(f.found, o)
		}
	}
	return nil
}

// dirAt returns the directory of a key up to its slash number n, or "".
func dirAt(key string, n int) string {
	at := 0
	for ; n > 0; n-- {
		i := strings.IndexByte(key[at:], '/')
		if i < 0 {
			return ""
		}
		at += i + 1
	}
	return key[:at]
}
