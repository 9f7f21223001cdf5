package plan

// A record of a bzip2 object that is read line by line is known by its place:
// nobody knows how many decompressed bytes come before a block, so a place is
// where the block begins at rest, counted from where the first one does, shifted
// by PlaceBits, and with it the offset in the decompressed block. Places are in
// order, no two records have the same, and they do not depend on how the object
// was divided. In the first block they are offsets.

// PlaceBits is the number of bits for an offset in a block. A block has up to
// 46 MB, and a line that begins in it may go on behind it.
const PlaceBits = 26

// MaxPlaced is the size from which a bzip2 object has no places: it is read as a
// whole, and its records are known by their offsets.
const MaxPlaced = 1 << (63 - PlaceBits)

// firstBlock is the byte at which the first block of an object begins.
const firstBlock = 4

// Place returns the place of a byte of the block that begins at byte block of
// its object.
func Place(block, offset int64) int64 { return (block-firstBlock)<<PlaceBits + offset }

// SplitPlace is the inverse of Place, but that the first block is 0.
func SplitPlace(place int64) (block, offset int64) {
	block = place >> PlaceBits
	if block > 0 {
		block += firstBlock
	}
	return block, place & (1<<PlaceBits - 1)
}
