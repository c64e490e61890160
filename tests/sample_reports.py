"""Reports made by hand: as small as the schema allows, and as odd as a test wants them."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

PART = {"covered": 3, "total": 4}
DIAGRAM = {
    "name": "machine",
    "fields": ["field"],
    "nodes": [
        {"values": ["first"], "initial": True, "covered": True},
        {"values": ["second"], "initial": False, "covered": True},
        {"values": ["third"], "initial": False, "covered": False},
    ],
    "arrows": [
        {"from": 0, "to": 1, "rules": [{"id": "server.one", "covered": True}]},
        {
            "from": 1,
            "to": 0,
            "rules": [{"id": "client.two", "covered": True}, {"id": "app.three", "covered": False}],
        },
        {"from": 1, "to": 2, "rules": [{"id": "clock.four", "covered": False}]},
    ],
}


def step(label: str = "pong", **changes: Any) -> Json:
    """A step from the server to the client."""
    plain = {
        "at": 0,
        "phase": "main",
        "rule": "server.pong",
        "who": "server",
        "from": "server",
        "to": "client",
        "label": label,
        "detail": "",
        "note": "",
        "rejects": False,
        "changes": {},
        "findings": [],
        "server": {"response": "active"},
        "client": {"played": "0 ms"},
    }
    return {**plain, **changes}


def finding(**changes: Any) -> Json:
    """A violation that is not on file, with a run of three steps."""
    check = changes.get("check", "no-rejected-event")
    plain = {
        "check": check,
        "scope": "text-reply",
        "verdict": "violation",
        "clause": "client.ping",
        "enabled_by": ["app.interrupt"],
        "count": 7,
        "text": "the server rejects ping",
        "known": None,
        "scenario": "livekit-agent:quick:text-reply:abcdef:0001",
        "replay": "realtime-conformance replay livekit-agent:quick:text-reply:abcdef:0001",
        "left_out": 2,
        "minimal": True,
        "unstable": "",
        "trace_digest": "0123456789abcdef",
        "timeline": "a timeline",
    }
    made = {**plain, **changes}
    made.setdefault("fingerprint", f"{check} / {made['clause']} / app.interrupt")
    breach = {name: made[name] for name in ("check", "verdict", "text", "fingerprint")}
    ping = step("ping", **{"from": "client", "to": "server", "who": "client"}, findings=[breach])
    changed = step(changes={"response[0]": "done"}, server={"response": "done"})
    return {"steps": [step("ready"), ping, changed], **made}


def check(name: str, *findings: Json, premises: int = 5) -> Json:
    """A check with what it found."""
    counts = {
        verdict: sum(one["count"] for one in findings if one["verdict"] == verdict)
        for verdict in ("violation", "advisory")
    }
    verdict = next((name for name, count in counts.items() if count), "pass")
    return {
        "id": name,
        "about": f"What {name} says.",
        "premise": "something was sent",
        "source": "facts 1",
        "verdict": verdict if premises else "vacuous",
        "needs": [],
        "premises": premises,
        "violations": counts["violation"],
        "advisories": counts["advisory"],
        "shortest": findings[0]["scenario"] if findings else None,
        "findings": list(findings),
    }


def scope(name: str = "text-reply", **changes: Any) -> Json:
    """A scope that was covered."""
    plain = {
        "name": name,
        "bounds": {"AUDIO": 1},
        "below_profile": [],
        "model": "abcdef",
        "strategy": "cover",
        "promises": True,
        "scenarios": 30,
        "frontier_left": 0,
        "cut_short": "",
        "closure": {"covered": 4, "total": 4, "by_reduction": 0},
        "reach": {
            name: dict(PART)
            for name in ("nodes", "edges", "edge_pairs", "interruption_points", "paths")
        },
        "unvisited": {"total": 1, "the client did not act so": 1, "unexplained": 0},
        "diagrams": [copy.deepcopy(DIAGRAM)],
    }
    return {**plain, **changes}


def report(*checks: Json, release: str = "", **changes: Any) -> Json:
    """A report of these checks; the reasons are those of its new violations, and what is given."""
    packages = {"livekit-agents": release or "9.9.9", "openai": "8.8.8"}
    reasons = [
        f"new violation: {one['fingerprint']} ({one['replay']})"
        for each in checks
        for one in each["findings"]
        if one["verdict"] == "violation" and one["known"] is None
    ]
    plain = {
        "format": 1,
        "tool": {"name": "realtime-conformance", "version": "0.0"},
        "client": {
            "name": "livekit-agent",
            "release": release,
            "python": "3.11.0",
            "packages": packages,
            "tells": [],
        },
        "profile": "quick",
        "whole_profile": False,
        "bursts": 0,
        "strategy": {"name": "cover", "seed": 0, "reduction": "on"},
        "scopes": [scope()],
        "scenarios": 30,
        "checks": list(checks),
        "gone": [],
        "unstable": [],
        "lost": [],
        "seconds": 1.5,
    }
    made = {**plain, **changes}
    made["reasons"] = reasons + changes.get("reasons", [])
    made["verdict"] = "fail" if made["reasons"] else "pass"
    return made


def broken() -> Json:
    """A report with a new violation, a known one, an advisory, and a check that never spoke."""
    known = finding(
        check="comes-to-rest",
        clause="rest",
        known="It waits for ever.",
        text="closing did not end",
        scenario="livekit-agent:quick:text-reply:abcdef:0002",
        replay="realtime-conformance replay livekit-agent:quick:text-reply:abcdef:0002",
        timeline="another timeline",
    )
    advisory = finding(
        check="redundant-cancel", verdict="advisory", text="cancelled twice", clause="cancel"
    )
    return report(
        check("no-rejected-event", finding()),
        check("comes-to-rest", known),
        check("redundant-cancel", advisory),
        check("truncate-positive", premises=0),
        check("reply-is-heard"),
    )


def clean(release: str = "1.2.3") -> Json:
    """A report in which the same checks found nothing."""
    return report(*(check(one["id"]) for one in broken()["checks"]), release=release)
