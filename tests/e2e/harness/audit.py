"""What the API server's audit log says of service accounts (cluster/config/audit.yaml)."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

Right = tuple[str, str, str]  # verb, resource, group


class Asked:
    """A request that was answered."""

    def __init__(self, event: dict):
        about = event.get("objectRef", {})
        self.user = event["user"]["username"].removeprefix("system:serviceaccount:")
        self.at = datetime.fromisoformat(event["requestReceivedTimestamp"])
        self.verb, self.group, self.name = event["verb"], about.get("apiGroup", ""), about.get("name", "")
        self.resource = "/".join(filter(None, [about.get("resource", ""), about.get("subresource", "")]))
        self.code = event.get("responseStatus", {}).get("code", 0)
        self.is_denied = event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        self.line = f"{event['requestReceivedTimestamp']} {self.user} {self.verb} {event['requestURI']}"

    def rights(self) -> set[Right]:
        """What had to be allowed for it."""
        right = {(self.verb, self.resource, self.group)}
        # Server-side apply of something new needs the right to create it.
        return right | {("create", self.resource, self.group)} if (self.verb, self.code) == ("patch", 201) else right


def read_log(users: set[str]) -> list[Asked]:
    """The requests of these service accounts (`namespace:name`), in the order of their answers."""
    newest = Path(os.environ["E2E_AUDIT_LOG"])
    # What was put aside as too long has the time in its name.
    files = [*sorted(newest.parent.glob(f"{newest.stem}-*{newest.suffix}")), newest]
    events = (json.loads(line) for file in files for line in file.read_text().splitlines())
    prefix = "system:serviceaccount:"
    # Who was not found out yet, while the API server starts, has no name. A watch is told of when it begins and when it ends.
    return [
        Asked(event)
        for event in events
        if event["user"].get("username", "").removeprefix(prefix) in users
        and (event["verb"] != "watch" or event["stage"] == "ResponseStarted" or event["responseStatus"]["code"] != 200)
    ]
