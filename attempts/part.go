package attempts

import (
	"context"
	"io"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// SumPart reads a part and returns its size and checksum.
func SumPart(ctx context.Context, output *store.Root, name string) (plan.Part, error) {
	h, err := output.OpenObject(ctx, name, "")
	if err != nil {
		return plan.Part{}, err
	}
	defer h.Close()
	r := h.Stream(ctx, 0, -1)
	defer r.Close()
	crc := checksum.NewCRC32C()
	n, err := io.Copy(crc, r)
	if err != nil {
		return plan.Part{}, err
	}
	return plan.Part{Name: name, Size: n, CRC32C: crc.Sum32()}, nil
}
