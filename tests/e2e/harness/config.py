"""Configuration documents in the native form, as Python values."""

from __future__ import annotations


def backend(name: str, url: str, schema: str = "OpenAI", **more) -> dict:
    """A backend at `url`; OpenAI's API below `/v1` unless said otherwise."""
    version = {"version": "v1"} if schema == "OpenAI" else {}
    return {"name": name, "schema": {"name": schema} | version, "url": url} | more


def rule(models: str | list[str], *backends: str | dict, **more) -> dict:
    """A rule that sends `models` to the backends, in this order of priority."""
    refs = [
        {"name": one, "priority": index} if isinstance(one, str) else {"priority": index} | one
        for index, one in enumerate(backends)
    ]
    return {"models": [models] if isinstance(models, str) else models, "backends": refs} | more


def document(backends: list[dict], rules: list[dict], **more) -> dict:
    """One route with these rules."""
    return {"backends": backends, "routes": [{"name": "main", "rules": rules}]} | more


def single(url: str, schema: str = "OpenAI", **more) -> dict:
    """One backend that takes every model."""
    return document([backend("only", url, schema)], [rule("*", "only")], **more)
