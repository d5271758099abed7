"""What an operator asks of the dispatcher."""

from prometheus_client import Counter, Gauge

RUNS = Gauge("relaygram_dispatcher_runs", "Runs whose lease this process holds")
JOBS = Counter("relaygram_dispatcher_jobs_total", "Send jobs made from a run's people")
JOBS_AGAIN = Counter("relaygram_dispatcher_jobs_again_total", "Send jobs published again by the reconciler")
COMPLETED = Counter("relaygram_dispatcher_completed_total", "Campaigns completed")
DISCARDED = Counter("relaygram_dispatcher_discarded_total", "Messages of ended campaigns discarded")
RETOLD = Counter("relaygram_dispatcher_retold_total", "Outcomes told again from the ledger")
SWEPT = Counter("relaygram_dispatcher_swept_total", "Messages removed from queues nobody works off", ["why"])
FAILURES = Counter("relaygram_dispatcher_failures_total", "Pieces of work that failed and are tried again", ["work"])
