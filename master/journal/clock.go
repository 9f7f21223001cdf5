package journal

import "time"

// started is when the process's clock begins, on systems without a boot clock.
var started = time.Now()
