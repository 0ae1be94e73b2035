"""Issues, links and comments as Jira shows them."""

from typing import Any
from zoneinfo import ZoneInfo

from tests.fakes.boards.jira.site import LINKS, Comment, Issue, Site


def issue_bean(site: Site, issue: Issue, fields: list[str], properties: list[str]) -> dict[str, Any]:
    zone = ZoneInfo(site.time_zone or "UTC")
    updated = issue.updated.astimezone(zone)
    priority = {"id": issue.priority, "name": site.priorities.get(issue.priority or "")}
    every = {
        "summary": issue.summary,
        "description": issue.description,
        "issuetype": {"name": issue.type},
        "status": issue.status.bean(),
        "resolution": None if issue.resolution is None else {"name": issue.resolution},
        "priority": None if issue.priority is None else priority,
        "labels": issue.labels,
        "issuelinks": [_link(site, *each) for each in issue.blockers if each[2] in site.issues],
        "updated": f"{updated:%Y-%m-%dT%H:%M:%S}.{updated.microsecond // 1000:03}{updated:%z}",
        "project": {"key": issue.project},
    }
    shown = {name: value for name, value in (every | issue.odd).items() if name in fields}
    kept = {each: issue.properties[each] for each in properties if each in issue.properties}
    return {"id": issue.id, "key": issue.key, "fields": shown, "properties": kept}


def link_type(key: str) -> dict[str, Any]:
    name, inward, outward = LINKS[key]
    return {"id": key, "name": name, "inward": inward, "outward": outward}


def comment_bean(found: Comment, *, shown: bool) -> dict[str, Any]:
    """`shown`: with its properties."""
    bean: dict[str, Any] = {"id": found.id, "author": {"accountId": found.author}, "body": found.body}
    properties = [{"key": key, "value": value} for key, value in found.properties.items()]
    return bean | ({"properties": properties} if shown else {})


def _link(site: Site, kind: str, side: str, other: str) -> dict[str, Any]:
    there = site.issues[other]
    shown = {"id": there.id, "key": there.key, "fields": {"status": there.status.bean(), "summary": there.summary}}
    return {"type": link_type(kind), f"{side}Issue": shown}
