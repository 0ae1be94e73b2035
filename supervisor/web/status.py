"""The daemon itself: health, status, issue types, metrics."""

from supervisor.domain.views import HealthView, StatusView, TypeList, TypeView
from supervisor.web.glue import Raw, Routes
from supervisor.web.house import Gate, House

routes = Routes("status")

METRICS = "text/plain; version=0.0.4; charset=utf-8"


@routes.get("/health", token=False)
async def health(gate: Gate) -> HealthView:
    """Whether the daemon answers; it may still be adopting its agents. Needs no token."""
    return HealthView("ok" if gate.is_open else "starting", gate.about.version, gate.about.directory_name)


@routes.get("/status")
async def status(house: House) -> StatusView:
    """All of it at a glance."""
    return house.status()


@routes.get("/issuetypes")
async def issue_types(house: House) -> TypeList:
    """The issue types, in the order their tickets are taken."""
    ranked = sorted(house.types.values(), key=lambda each: (each.rank, each.name))
    return TypeList(
        tuple(
            TypeView(
                each.name,
                each.mode,
                each.color,
                each.icon,
                each.rank,
                tuple(step.name for step in each.steps),
            )
            for each in ranked
        )
    )


@routes.get("/metrics", media=METRICS)
async def metrics(gate: Gate) -> Raw:
    """Numbers for Prometheus."""
    from supervisor.web.metrics import exposition  # its library takes 45 ms that few daemons need

    return Raw(exposition(gate))
