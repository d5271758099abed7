"""What an operator asks of the dispatcher."""

from prometheus_client import Counter, Gauge

RUNS = Gauge("relaygram_dispatcher_runs", "Runs whose lease this process holds")
LATENESS = Gauge("relaygram_dispatcher_due_lateness_seconds", "How long the oldest due row of these runs has waited")
UNFOLLOWED = Gauge("relaygram_dispatcher_runs_unfollowed", "Runs whose log has news that were not followed yet")
WAITING = Gauge("relaygram_dispatcher_waiting_runs", "Runs that send nothing now, by what they wait for", ["why"])
JOBS = Counter("relaygram_dispatcher_jobs_total", "Send jobs made from a run's people")
DUE_JOBS = Counter("relaygram_dispatcher_due_jobs_total", "Send jobs made from due rows", ["trigger"])
DUE_ROWS = Counter("relaygram_dispatcher_due_rows_total", "Steps and follow-ups that followed from an outcome")
PUT_OFF = Counter("relaygram_dispatcher_put_off_total", "Messages put off by quiet hours before they became jobs")
SKIPPED = Counter("relaygram_dispatcher_skipped_total", "Due rows without a message: removed steps, people taken out")
EXPIRED = Counter("relaygram_dispatcher_expired_total", "Auto-replies that came too late")
MISFIRES = Counter("relaygram_dispatcher_misfires_total", "Scheduled campaigns that did not start in time")
JOBS_AGAIN = Counter("relaygram_dispatcher_jobs_again_total", "Send jobs published again by the reconciler")
COMPLETED = Counter("relaygram_dispatcher_completed_total", "Campaigns completed")
DISCARDED = Counter("relaygram_dispatcher_discarded_total", "Messages of ended campaigns discarded")
RETOLD = Counter("relaygram_dispatcher_retold_total", "Outcomes told again from the ledger")
SWEPT = Counter("relaygram_dispatcher_swept_total", "Messages removed from queues nobody works off", ["why"])
INBOUND = Counter("relaygram_dispatcher_inbound_total", "Messages from people, by what became of them", ["decision"])
FAILURES = Counter("relaygram_dispatcher_failures_total", "Pieces of work that failed and are tried again", ["work"])
