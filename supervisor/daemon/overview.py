"""The daemon at a glance, put together from what each actor shows."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from attrs import frozen

from supervisor.actors.activity import ActivityLog
from supervisor.actors.fleet import Fleet
from supervisor.actors.queue import Queue
from supervisor.actors.sync import Sync
from supervisor.domain.config import Config
from supervisor.domain.views import BackendView, DriverView, QueueStatus, StatusView, StreamsView


@frozen
class Overview:
    """Makes a `StatusView` whenever one is asked for."""

    version: str
    config: Config
    state_dir: Path
    stream_url: str
    since: datetime
    backends: Mapping[str, str]
    warnings: tuple[str, ...]
    queue: Queue
    fleet: Fleet
    sync: Sync
    activity: ActivityLog

    def __call__(self) -> StatusView:
        paused = self.queue.paused
        return StatusView(
            version=self.version,
            paused=paused is not None,
            pause_reason=paused.reason if paused is not None else None,
            counts=self.counts(),
            max_agents=self.config.queue.max_agents,
            agents=self.fleet.load().total,
            needs_you=self.queue.awaiting(),
            collections=self.sync.collections(),
            backends=tuple(BackendView(name, ok=True, detail=detail) for name, detail in self.backends.items()),
            drivers=tuple(
                DriverView(name, driver.kind, (*driver.command, *driver.args))
                for name, driver in self.config.drivers.items()
            ),
            projects=tuple(self.config.projects),
            streams=StreamsView(
                activity=f"{self.stream_url}/api/v1/activity",
                terminal=f"{self.stream_url}/api/v1/agents/{{agent}}/terminal",
            ),
            since=self.since,
            state_dir=str(self.state_dir),
            head=self.activity.head,
            warnings=self._warnings(),
        )

    def counts(self) -> QueueStatus:
        by_status = self.queue.counts()
        awaiting, shelved = self.queue.awaiting(), self.queue.shelved()
        held = by_status.get("launching", 0) + by_status.get("running", 0)
        return QueueStatus(
            queued=by_status.get("queued", 0),
            in_progress=held - (awaiting - shelved),
            awaiting=awaiting,
            completed=by_status.get("done", 0),
            parked=by_status.get("parked", 0) - shelved,
            failed=by_status.get("failed", 0),
            cancelled=by_status.get("cancelled", 0),
            by_type=self.queue.waiting_types(),
        )

    def _warnings(self) -> tuple[str, ...]:
        found = list(self.warnings)
        if self.fleet.strangers:
            names = ", ".join(self.fleet.strangers[:5])
            found.append(f"sessions of agents that this database does not know: {names}; they are left alone")
        if self.queue.awaiting_full():
            count = self.queue.awaiting()
            wait = "1 ticket waits for a person" if count == 1 else f"{count} tickets wait for people"
            found.append(
                f"{wait}, so no more are started (queue.max_awaiting = {self.config.queue.max_awaiting}); "
                "see: operator review list"
            )
        if not self.config.projects:
            found.append("no project is configured: add a [projects.NAME] table to operator.toml")
        if not self.config.drivers:
            found.append("no agent CLI is configured: add a [drivers.NAME] table to operator.toml")
        return tuple(found)
