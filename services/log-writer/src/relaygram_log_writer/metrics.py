"""What an operator asks of the log-writer."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter(
    "relaygram_log_events_total",
    "Delivery events taken from the stream, by what became of them",
    ["outcome"],  # row | no_row (deferred) | incomplete | dead_lettered
)
BATCH = Histogram("relaygram_log_batch_events", "Events in one batch", buckets=(1, 5, 20, 50, 200, 500, 1000, 5000))
WRITE_SECONDS = Histogram("relaygram_log_write_seconds", "Writing one batch, from decoding to commit")
LAG_SECONDS = Gauge("relaygram_log_lag_seconds", "Age of the newest event written, when it was committed")

RECEIPTS = Counter(
    "relaygram_log_receipts_total",
    "Receipts taken from the stream, by what became of them",
    ["outcome"],  # applied | dead_lettered
)
MARKED = Counter("relaygram_log_marked_total", "Messages that were read or replied to", ["state"])

TRIMMED = Counter("relaygram_log_trimmed_rows_total", "Rows that left the log for their age")
TRIM_SECONDS = Histogram(
    "relaygram_log_trim_seconds",
    "Time for which a batch of retention held the log's lock",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)
