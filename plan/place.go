package plan

// A record of an object in bzip2 or BGZF that is read line by line is identified by its
// place, since the number of decompressed bytes before a block is unknown. A
// place is the byte at rest at which the block begins, counted from the first
// block and shifted by PlaceBits, plus the offset in the decompressed block.
// Places are in order, no two records have the same place, and places do not
// depend on how the object was divided. In the first block they are offsets.
// Formats that compress blocks of records identify their records in this way too.

// PlaceBits is the number of bits for an offset in a block. A block has up to
// 46 MB, and a line that begins in it may continue after it.
const PlaceBits = 26

// MaxPlaced is the size from which such an object has no places: it is read as
// a whole, and offsets identify its records.
const MaxPlaced = 1 << (63 - PlaceBits)

// firstBlock is the byte at which the first block of an object begins.
const firstBlock = 4

// Place returns the place of a byte of the block that begins at byte block of
// its object.
func Place(block, offset int64) int64 { return (block-firstBlock)<<PlaceBits + offset }

// SplitPlace is the inverse of Place, except that it returns 0 for the first
// block.
func SplitPlace(place int64) (block, offset int64) {
	block = place >> PlaceBits
	if block > 0 {
		block += firstBlock
	}
	return block, place & (1<<PlaceBits - 1)
}
