"""What a contender's process does: for each count on standard input, so many repetitions, answered by the microseconds of one.

The programs in this folder run in the interpreters of all contenders, MegEngine's Python 3.10 too.
"""

from __future__ import annotations

import json
import sys
import time


def serve(step, check, warm_up=20, clock=time.perf_counter):
    """Answer until standard input ends.

    Args:
        step: what is timed; it returns only when its result is there.
        check: something that all contenders must agree on, sent first.
        warm_up: repetitions before each timed block.
        clock: what is read before and after, in seconds.
    """
    print(json.dumps(check), flush=True)
    for line in sys.stdin:
        count = int(line)
        for _ in range(warm_up):
            step()
        started = clock()
        for _ in range(count):
            step()
        print((clock() - started) / count * 1e6, flush=True)
