package codec_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// Encoded keys compare as the keys do, so keys can be sorted as bytes.
func ExampleKeyOf() {
	type key struct {
		City string
		Year int
	}
	c, err := codec.KeyOf[key]()
	if err != nil {
		fmt.Println(err)
		return
	}
	var encoded [][]byte
	for _, k := range []key{{"Oslo", 1990}, {"Bern", 2026}, {"Oslo", -44}} {
		encoded = append(encoded, c.Append(nil, &k))
	}
	slices.SortFunc(encoded, bytes.Compare)
	decode := c.Decoder()
	for _, b := range encoded {
		var k key
		if err := decode(b, &k); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(k.City, k.Year)
	}
	// Output:
	// Bern 2026
	// Oslo -44
	// Oslo 1990
}

// A type without an order cannot be a key. The error says why.
func ExampleKeyOf_noOrder() {
	_, err := codec.KeyOf[map[string]int]()
	fmt.Println(err)
	// Output: key type map[string]int has no order; use a string, a number, a time, a struct or array of these, or give it AppendKey and DecodeKey
}

// Values of most types can be encoded: structs, slices, maps, pointers.
func ExampleValueOf() {
	type visit struct {
		Page string
		Tags map[string]bool
	}
	c, err := codec.ValueOf[[]visit]()
	if err != nil {
		fmt.Println(err)
		return
	}
	visits := []visit{{"/", nil}, {"/jobs", map[string]bool{"new": true}}}
	b, err := c.Append(nil, &visits)
	if err != nil {
		fmt.Println(err)
		return
	}
	var decoded []visit
	if err := c.Decoder()(b, &decoded); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(b), "bytes:", decoded)
	// Output: 16 bytes: [{/ map[]} {/jobs map[new:true]}]
}

// Len finds the end of a first field in an encoded key. A shuffle groups keys by
// it.
func ExamplePrefixOf() {
	type key struct {
		User string
		At   int64
	}
	whole, err := codec.KeyOf[key]()
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := codec.PrefixOf[string]()
	if err != nil {
		fmt.Println(err)
		return
	}
	b := whole.Append(nil, &key{"ann", 17})
	fmt.Printf("%d of %d bytes\n", user.Len(b), len(b))
	// Output: 5 of 13 bytes
}
