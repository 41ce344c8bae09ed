"""Which rights of the chart, and of the roles that the operator makes, were used in the session: what the API server's audit log says.

The last test of a session.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
import yaml

from harness.audit import Asked, Right, read_log
from harness.front import SYSTEM, data_planes, own_cluster, unruled, whole
from harness.kubernetes import CHART

RULES = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
# Parts of the chart's rules by who has them.
HOLDERS = {"aigw": ["cluster", "namespaces", "own"], "aigw-crds": ["definitions"], "aigw-cleanup": ["cleanup"]}

# Rights that no test here needs, and why they are given all the same.
UNUSED = {
    f"{SYSTEM}:aigw: patch events events.k8s.io": "an Event that comes again is counted; whether one does depends on how fast the tests are",
}


def ours() -> list[Asked]:
    return read_log({*(f"{SYSTEM}:{holder}" for holder in HOLDERS), *data_planes})


def rights_of(rule: dict) -> set[Right]:
    return {(verb, resource, group) for verb in rule["verbs"] for resource in rule["resources"] for group in rule["apiGroups"]}


@own_cluster
def test_every_right_is_used_and_none_is_missing(request):
    if not request.config.stash[whole]:
        pytest.skip("says something after all other tests only")
    by_user = defaultdict(list)
    for asked in ours():
        by_user[asked.user].append(asked)
    given = {f"{SYSTEM}:{holder}": [rule for part in parts for rule in RULES[part]] for holder, parts in HOLDERS.items()}
    rules = [(user, rule) for user, mine in [*given.items(), *((user, plane.rules) for user, plane in data_planes.items())] for rule in mine]
    unused = []
    for user, rule in rules:
        names = rule.get("resourceNames")
        # A request for a list or a watch of one object by its name has the name in it, too.
        fits = [asked for asked in by_user[user] if not names or asked.name in names or asked.verb == "create"]
        used = set().union(*(asked.rights() for asked in fits)) & rights_of(rule)
        for right in sorted(rights_of(rule)):
            print(f"{'used  ' if right in used else 'UNUSED'} {user}: {' '.join(right)}")
        unused += [f"{user}: {' '.join(right)}" for right in sorted(rights_of(rule) - used)]
    every = {f"{user}: {' '.join(right)}" for user, rule in rules for right in rights_of(rule)}
    assert set(UNUSED) <= every, "a reason for a right that nobody has"
    assert [right for right in unused if right not in UNUSED] == []


@own_cluster
def test_nothing_was_denied(printed):
    """Rules that are missing; while the operator or a Gateway is on its way out, its rights may go before its last request."""
    late = timedelta(seconds=1)

    def is_leaving(asked: Asked) -> bool:
        ended = asked.user in data_planes and data_planes[asked.user].ended
        return bool(ended and asked.at >= ended - late) or any(since <= asked.at <= until for since, until in unruled)

    asked = ours()
    assert len(asked) > 100, "the audit log is empty"
    assert [one.line for one in asked if one.is_denied and not is_leaving(one)] == []
