"""Lists the instants of cron expressions, by croniter, cronsim and zoneinfo.

Each line of standard input is a JSON object with the fields cron, zone, from and to,
the last two in seconds since the Unix epoch. For each, a line of standard output has the
instants from "from" on and before "to":

once, literal: readings of the clock by croniter, which is given no zone, as instants by
zoneinfo. cronsim: by cronsim alone, which does as "once" if the expression has fixed
times, and else as "literal".
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

UTC = timezone.utc
MARGIN = timedelta(hours=36)


def shown(instant, zone):
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None)


def instants(reading, zone):
    """The instants at which the clock shows a reading, in order."""
    found = set()
    for fold in 0, 1:
        at = int(reading.replace(tzinfo=zone, fold=fold).timestamp())
        if shown(at, zone) == reading:
            found.add(at)
    return sorted(found)


def after_gap(reading, zone):
    """The first instant after the gap that skips a reading, by bisection."""
    bounds = sorted(int(reading.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    low, high = bounds[0] - 1, bounds[1] + 1
    while high - low > 1:
        middle = (low + high) // 2
        if shown(middle, zone) < reading:
            low = middle
        else:
            high = middle
    return high


def by_croniter(case, zone):
    once, literal = set(), set()
    end = shown(case["to"], zone) + MARGIN
    readings = croniter(case["cron"], shown(case["from"], zone) - MARGIN, implement_cron_bug=True)
    while (reading := readings.get_next(datetime)) < end:
        at = instants(reading, zone)
        literal.update(at)
        once.add(at[0] if at else after_gap(reading, zone))
    return once, literal


def by_cronsim(case, zone):
    found = set()
    for at in CronSim(case["cron"], datetime.fromtimestamp(case["from"], UTC).astimezone(zone) - MARGIN):
        if at.timestamp() >= case["to"] + MARGIN.total_seconds():
            return found
        found.add(int(at.timestamp()))
    return found


def main():
    for line in sys.stdin:
        case = json.loads(line)
        zone = ZoneInfo(case["zone"])
        once, literal = by_croniter(case, zone)
        answer = {"once": once, "literal": literal, "cronsim": by_cronsim(case, zone)}
        print(json.dumps({k: sorted(t for t in v if case["from"] <= t < case["to"]) for k, v in answer.items()}))


main()
