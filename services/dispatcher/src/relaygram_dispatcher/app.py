"""The dispatcher's parts and how they are connected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from relaygram_common.outbox import OutboxRelay
from relaygram_common.runner import Runtime
from relaygram_common.servers import Servers, connected_servers
from relaygram_common.tasks import cancel_and_wait
from relaygram_common.topology import SEND_JOBS
from relaygram_dispatcher.adapters.nats_out import NatsOut
from relaygram_dispatcher.adapters.nats_queues import NatsQueues
from relaygram_dispatcher.adapters.pg_due import PgDue
from relaygram_dispatcher.adapters.pg_follow import PgFollow
from relaygram_dispatcher.adapters.pg_inbound import PgInbound
from relaygram_dispatcher.adapters.pg_log import PgLog
from relaygram_dispatcher.adapters.pg_runs import PgRuns
from relaygram_dispatcher.adapters.pg_schedule import PgSchedule
from relaygram_dispatcher.advancing import Advancing
from relaygram_dispatcher.completion import Completion
from relaygram_dispatcher.core.opt_out import OptOutWords
from relaygram_dispatcher.core.window import Window
from relaygram_dispatcher.due import DueRows
from relaygram_dispatcher.ending import Ending
from relaygram_dispatcher.expansion import Expansion
from relaygram_dispatcher.following import Follower
from relaygram_dispatcher.handlers import listen_to_log, subscribe
from relaygram_dispatcher.inbound import Inbound, InboundDoor, InboundRules, subscribe_inbound
from relaygram_dispatcher.reconciler import Reconciler
from relaygram_dispatcher.runs import RunLoop
from relaygram_dispatcher.schedule import Schedule
from relaygram_dispatcher.settings import DispatcherSettings
from relaygram_dispatcher.sweep import Sweep
from relaygram_dispatcher.turns import Turns
from relaygram_dispatcher.waiting import Waiting


@asynccontextmanager
async def build(settings: DispatcherSettings, runtime: Runtime) -> AsyncIterator[None]:
    """PostgreSQL, NATS, the loops, then the door for commands; stopped in reverse."""
    async with connected_servers(
        settings,
        runtime,
        name="relaygram-dispatcher",
        pool_size=settings.postgres_pool_size,
        needs=lambda jetstream: jetstream.stream_info(SEND_JOBS),
    ) as servers:
        work = Work.of(servers, settings)
        subscribe(servers.broker, servers.publisher, work.runs, work.schedule)
        subscribe_inbound(
            servers.broker,
            InboundDoor(Inbound(work.messages, inbound_rules(settings)), servers.publisher, work.runs, work.relay),
        )
        loops = [
            runtime.spawn(work.relay.run(), name="outbox-relay"),
            runtime.spawn(work.runs.run(), name="runs"),
            runtime.spawn(work.schedule.run(), name="schedule"),
            runtime.spawn(work.sweep.run(), name="sweep"),
        ]
        await listen_to_log(servers.client, work.runs)
        await servers.broker.start()
        try:
            yield
        finally:
            await cancel_and_wait(loops)
            await work.runs.stop()


@dataclass(frozen=True, slots=True)
class Work:
    """The loops."""

    relay: OutboxRelay
    runs: RunLoop
    schedule: Schedule
    sweep: Sweep
    messages: PgInbound

    @classmethod
    def of(cls, servers: Servers, settings: DispatcherSettings) -> Self:
        """All parts, from adapters to loops."""
        pool, client, publisher = servers.pool, servers.client, servers.publisher
        relay = OutboxRelay(pool, client, publisher)
        runs = PgRuns(pool, owner=settings.instance, lease_seconds=settings.run_lease_seconds)
        pg_log, due = PgLog(pool, page_size=settings.page_size), PgDue(pool)
        pg_follow, messages = PgFollow(pool, page_size=settings.page_size), PgInbound(pool)
        out, queues = NatsOut(publisher), NatsQueues(client, publisher)
        window = Window(settings.page_size, settings.max_jobs_ahead, settings.max_seconds_ahead)
        follower = Follower(pg_follow)
        due_rows = DueRows(due, pg_follow, out, page_size=settings.page_size)
        ending = Ending(runs, pg_log, due, queues, out)
        turns = Turns(
            Advancing(due, follower, due_rows, Expansion(runs, out, window=window), window=window),
            Completion(runs, due, relay),
            ending,
            Reconciler(pg_log, due, follower, queues, out),
            window=window,
            reconcile_after_seconds=settings.reconcile_after_seconds,
        )
        poll, waiting = settings.run_poll_seconds, Waiting(due)
        loop = RunLoop(runs, turns, waiting, poll_seconds=poll, concurrent_runs=settings.concurrent_runs)
        grace = settings.misfire_grace_seconds
        schedule = Schedule(PgSchedule(pool), loop, relay, poll_seconds=poll, grace_seconds=grace)
        sweep = Sweep(pg_log, queues, ending, messages, due, every_seconds=settings.sweep_seconds)
        return cls(relay, loop, schedule, sweep, messages)


def inbound_rules(settings: DispatcherSettings) -> InboundRules:
    """What the installation has chosen for what people write."""
    return InboundRules(
        cooldown_seconds=settings.auto_reply_cooldown_seconds,
        max_trigger_age_seconds=settings.max_trigger_age_seconds,
        all_campaigns_answer=settings.auto_reply_all_campaigns,
        opt_out_words=OptOutWords(settings.opt_out_words.split(",")),
        opt_out_confirmation=settings.opt_out_confirmation,
    )
