package schedule

import "time"

// civil is a reading of the clock on a wall, in seconds since it read midnight of
// 1 January 1970. It is no instant: a zone can skip it, and show it twice.
type civil int64

const (
	daySeconds   = 24 * 60 * 60
	cycleDays    = 146097 // of 400 years, after which dates fall on the same days of the week
	cycleSeconds = cycleDays * daySeconds
)

// divide returns the quotient, rounded down, and the remainder.
func divide(a, b int64) (quotient, remainder int64) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		quotient, remainder = quotient-1, remainder+b
	}
	return quotient, remainder
}

// day returns the number of the day, and the second of the day.
func (c civil) day() (day, second int64) { return divide(int64(c), daySeconds) }

// dateOf returns the date of a day.
func dateOf(day int64) (year int, month time.Month, dayOfMonth int) {
	return time.Unix(day*daySeconds, 0).UTC().Date()
}

// dayOf returns the number of the day of a date. Months and days out of range count on
// from their neighbours, as in time.Date.
func dayOf(year int, month time.Month, dayOfMonth int) int64 {
	return time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC).Unix() / daySeconds
}

// weekdayOf returns the day of the week of a day.
func weekdayOf(day int64) time.Weekday {
	_, r := divide(day+int64(time.Thursday), 7)
	return time.Weekday(r)
}
