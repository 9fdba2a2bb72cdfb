package format_test

import (
	"bytes"
	"fmt"
	"testing"

	"weir/blocklists/format"
	"weir/blocklists/set"
)

// BenchmarkCompile reads a million hosts lines and makes a Set of them.
func BenchmarkCompile(b *testing.B) {
	var text bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "0.0.0.0 www.%x-%05x.example\n", i, uint32(i)*2654435761&0xfffff)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		builder := set.NewBuilder()
		list, err := builder.AddList(set.List{Name: "generated"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := format.Parse(bytes.NewReader(text.Bytes()), format.Hosts, func(e format.Entry) {
			if err := builder.Add(list, e); err != nil {
				b.Fatal(err)
			}
		}, nil); err != nil {
			b.Fatal(err)
		}
		if n := builder.Build().Stats().Names; n != 1_000_000 {
			b.Fatal(n)
		}
	}
}
