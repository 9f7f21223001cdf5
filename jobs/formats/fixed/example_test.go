package fixed_test

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// Readings of sensors in binary: 2 bytes of sensor, 4 bytes of value. The job
// finds the greatest value of each sensor.
func ExampleRecords_readings() {
	reading := func(_ *jobs.Context, rec []byte, emit jobs.Emit[uint16, uint32]) error {
		emit(binary.BigEndian.Uint16(rec), binary.BigEndian.Uint32(rec[2:]))
		return nil
	}
	job := jobs.Define("greatest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.Read(p, fixed.Records{Size: 6}), reading).Fold(jobs.Max).WriteTSV()
		return nil
	})
	object := ""
	for _, r := range [][2]int{{1, 300}, {2, 70_000}, {1, 5000}} {
		b := binary.BigEndian.AppendUint16(nil, uint16(r[0]))
		object += string(binary.BigEndian.AppendUint32(b, uint32(r[1])))
	}
	result, err := minirun.Run(context.Background(), job, minirun.Options{Partitions: 1}, minirun.Object{Name: "a.dat", Text: object})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// 1	5000
	// 2	70000
}
