package driver

import "context"

// LevelLister is a Driver that can list a directory alone, without what is below its
// subdirectories. A Root finds with it the few matches of a pattern in a large tree.
type LevelLister interface {
	// ListLevel begins a listing of the entries whose keys start with prefix, of the
	// directory that prefix names up to its last slash. base is the directory within
	// which symbolic links must lead. It is empty, or begins prefix and ends in a
	// slash.
	ListLevel(base, prefix string) LevelPager
}

// LevelPager walks a directory as a Pager walks a listing, in any order.
type LevelPager interface {
	Next(ctx context.Context) (page []Entry, last bool, err error)
}

// Entry is what a directory has under a name.
type Entry struct {
	// Object describes what the name stands for. The key of a directory ends in a
	// slash, and it has no other field.
	Object
	Kind EntryKind
	// Link says that the entry is a symbolic link. Target is then the key of what it
	// leads to, without any link in it; that of a directory is empty or ends in a slash.
	Link   bool
	Target string
	// Err says why an entry cannot be read. It matters only to a caller that would
	// read the entry.
	Err error
}

// EntryKind is the kind of an Entry.
type EntryKind uint8

// The kinds of entries. Object stores have only the first two.
const (
	IsObject    EntryKind = iota
	IsDirectory           // entries may be below it
	IsBroken              // a symbolic link that leads nowhere
	IsSpecial             // a named pipe, a socket or a device: it holds no bytes at rest
	IsUnknown             // Err says why
)
