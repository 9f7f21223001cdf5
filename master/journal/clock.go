package journal

import "time"

// started is where clocks begin on systems whose own is not to be had.
var started = time.Now()
