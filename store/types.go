package store

import (
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/mem"
)

// These types are the ones that the methods and options of a Root take and
// return. Packages driver and mem have them under the same or a shorter name.
type (
	// Object describes an object.
	Object = driver.Object
	// CreateOptions say how an object is written.
	CreateOptions = driver.CreateOptions
	// A Class says what a written object is for, and so what it may cost.
	Class = driver.Class
	// Unfinished is an upload that was begun, and neither committed nor aborted.
	Unfinished = driver.Unfinished
	// MemSpace has memory roots by name. The zero value is empty and ready.
	MemSpace = mem.Space
)

// The classes of objects.
const (
	// Durable objects have reached the disk when the write returns. It is the
	// zero value, the safe one.
	Durable = driver.Durable
	// Scratch objects are visible to all processes when the write returns, but
	// a power failure may lose them.
	Scratch = driver.Scratch
	// Heartbeat objects are scratch objects that are overwritten every few
	// seconds. They are counted apart.
	Heartbeat = driver.Heartbeat
)
