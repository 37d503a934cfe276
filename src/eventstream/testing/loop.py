"""An event loop with virtual time, whose processes can be paused and killed.

Nothing waits: when all that may run has run, time jumps to the next timer. So an hour passes in a
moment, and the same program does the same every time.

A process is whatever was started with it in its context: tasks, callbacks and all they start. A
killed process does not run another line, as after SIGKILL: no `finally`, no callback.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import warnings
from collections import deque
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

TICK_S = 1e-6
"""How much time passes between two looks at the clock: work takes time."""


class Process:
    """A simulated process.

    Args:
        name: For people.

    Attributes:
        name: For people.
        is_alive: False once it was killed.
        context: What belongs to it runs in here.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.context = copy_context()
        self.context.run(_process.set, self)
        self._paused: deque[tuple[Callable[..., object], tuple[Any, ...], Context]] | None = None

    def kill(self) -> None:
        """End it where it stands."""
        self.is_alive = False
        self._paused = None

    def pause(self) -> None:
        """Let it stand still, as on SIGSTOP, until `resume`."""
        if self._paused is None:
            self._paused = deque()

    def resume(self) -> None:
        """Let it go on with what it would have done meanwhile."""
        waiting, self._paused = self._paused or (), None
        loop = asyncio.get_running_loop()
        for callback, arguments, context in waiting:
            loop.call_soon(callback, *arguments, context=context)

    def run(
        self, callback: Callable[..., object], arguments: tuple[Any, ...], context: Context
    ) -> None:
        """Run a callback now, when it is resumed, or never."""
        if self._paused is not None:
            self._paused.append((callback, arguments, context))
        elif self.is_alive:
            callback(*arguments)


def current_process() -> Process | None:
    """The process that the calling code belongs to."""
    return _process.get()


_process: ContextVar[Process | None] = ContextVar("process", default=None)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; starts at time 0.

    Attributes:
        failures: What was raised where nobody listened: a bug of the program.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self
        self.failures: list[BaseException] = []
        self._tasks: list[asyncio.Task[Any]] = []

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._now

    def clock(self) -> float:
        """The time for a program that looks at it again and again while it works."""
        self._now += TICK_S
        return self._now

    def start(
        self, process: Process | None, coroutine: Coroutine[Any, Any, Result]
    ) -> asyncio.Task[Result]:
        """Start a task of a process, or of none."""
        context = copy_context() if process is None else process.context
        return self.create_task(coroutine, context=context)

    def abandon(self) -> None:
        """Close it, and what killed processes left behind; their last words are of no account."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            while self._tasks:
                coroutine = self._tasks.pop().get_coro()
                while inspect.iscoroutine(coroutine) and coroutine.cr_frame is not None:
                    with contextlib.suppress(Exception):
                        coroutine.close()
        self.close()

    # What `asyncio.BaseEventLoop` asks of a loop.

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass until the next timer, as the loop's own selector."""
        if timeout is None:
            raise RuntimeError("Everybody waits, and for nothing that will come.")
        self._now += timeout
        return []

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Start a task, and keep it: those of killed processes would vanish in the middle."""
        task = super().create_task(coro, **options)
        self._tasks.append(task)
        return task

    def _process_events(self, event_list: list[Any]) -> None:
        """Nothing comes from outside."""

    def call_soon(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call it in the next round, if its process runs then."""
        context = copy_context() if context is None else context
        process = context.get(_process)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(process.run, callback, args, context, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call it in the next round: there are no threads."""
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call it at a time, if its process runs then."""
        context = copy_context() if context is None else context
        process = context.get(_process)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        return super().call_at(when, process.run, callback, args, context, context=context)

    def run_in_executor(
        self,
        executor: Any,
        func: Callable[[*Arguments], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        """Run it in the next round: there are no threads and no other processes."""
        del executor

        async def run() -> Result:
            return func(*args)

        return self.create_task(run())

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody listened to; tasks of killed processes never end, and are no news."""
        if "exception" in context:
            self.failures.append(context["exception"])
