"""Evaluate a Parquet file in this process, and print time, peak memory and estimates as JSON: see `scale`."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from offline_eval import LoggedBatch, Question, evaluate
from offline_eval.batch import concatenate
from offline_eval.logs.tables.plain import read_batches


def main(path: str, mode: str) -> None:
    rows = read_batches(Path(path))
    source: LoggedBatch | Iterable[LoggedBatch] = concatenate(list(rows)) if mode == "memory" else rows
    begin = time.process_time()
    report = evaluate(source, Question())
    result = {
        "cpu_s": time.process_time() - begin,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
        "estimates": [(estimate.name, estimate.value, estimate.low, estimate.high) for estimate in report.estimates],
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
