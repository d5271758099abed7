"""The local stack as an object: ``async with LocalStack(folder) as stack: stack.info.api_url``."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from relaygram_local_stack import preparation
from relaygram_local_stack.data_folder import DataFolder
from relaygram_local_stack.errors import StackError
from relaygram_local_stack.guard import Guard
from relaygram_local_stack.output import Output, StreamOutput
from relaygram_local_stack.plan import Plan, StackOptions, make_plan
from relaygram_local_stack.ready_file import ReadyInfo
from relaygram_local_stack.services import check_scale
from relaygram_local_stack.supervisor import Supervisor


class LocalStack:
    """Everything on this machine. Addresses, ports and token stay; ``info.pids`` follows restarts.

    Use it from the thread that lives longest (the main one): on Linux the parts end with it.
    """

    def __init__(self, folder: Path, options: StackOptions | None = None, output: Output | None = None) -> None:
        self.folder = DataFolder(folder)
        #: The password of admin@localhost, when this start has made that user.
        self.new_password: str | None = None
        self._options = options or StackOptions()
        self._output = output or StreamOutput()
        self._info: ReadyInfo | None = None
        self._guard: Guard | None = None
        self._supervisor: Supervisor | None = None

    @property
    def info(self) -> ReadyInfo:
        """Addresses, token and processes of the running stack."""
        if self._info is None or self._supervisor is None:
            raise StackError("the stack does not run")
        return replace(self._info, pids=self._supervisor.pids)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything, in order; return when all of it is ready."""
        check_scale(self._options.scale)
        await asyncio.to_thread(self.folder.open)
        self._forget_ready_file()
        plan = await asyncio.to_thread(make_plan, self.folder, self._options)
        self._guard = Guard(self.folder.lock)
        self._guard.start()
        self._supervisor = Supervisor(self._output, self._guard, self._on_change)
        await asyncio.to_thread(_prepare_servers, plan)
        await self._supervisor.start(plan.servers())
        prepared, _ = await asyncio.gather(
            preparation.prepare(plan, self.folder),
            self._supervisor.start(plan.sandboxes()),
        )
        self.new_password = prepared.new_password
        await self._supervisor.start(plan.services(await preparation.sandbox_public_key(plan)))
        token = prepared.token
        if not await preparation.is_accepted(plan, token):
            token = await preparation.new_token(plan, self.folder)
        self._info = ReadyInfo(
            api_url=plan.api_url,
            token=token,
            nats_url=plan.nats.url,
            postgres_dsn=plan.dsn,
            sandbox_url=None if plan.sandbox is None else plan.sandbox.url,
            health=plan.health,
            pids={},
        )
        self._on_change()

    async def stop(self) -> None:
        """Stop everything in reverse order and give the folder free; repeating it changes nothing."""
        if self._supervisor is not None:
            await self._supervisor.stop()
        if self._guard is not None:
            await asyncio.to_thread(self._guard.close)
        if self._info is not None:
            self._forget_ready_file()
        self._info, self._guard, self._supervisor = None, None, None
        self.folder.close()

    def kill(self) -> None:
        """End everything at once, for who can't wait for ``stop`` (which is still to be called)."""
        if self._supervisor is not None:
            self._supervisor.kill()

    def _on_change(self) -> None:
        if self._info is not None and self._options.ready_file is not None:
            self.info.write(self._options.ready_file)

    def _forget_ready_file(self) -> None:
        """Who waits for the file must never find that of an earlier run."""
        path = self._options.ready_file
        if path is None:
            return
        if not path.absolute().parent.is_dir():
            raise StackError(f"cannot write {path}: there is no folder {path.absolute().parent}")
        path.unlink(missing_ok=True)


def _prepare_servers(plan: Plan) -> None:
    plan.nats.prepare()
    plan.postgres.prepare()
