"""Checks request bodies against the parameter types that the vendors publish in their SDKs."""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Any, get_args, get_origin

import typing_extensions
from anthropic.types import message_count_tokens_params, message_create_params
from openai.types import (
    completion_create_params,
    embedding_create_params,
    image_generate_params,
    moderation_create_params,
)
from openai.types.audio import speech_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

# Path suffix of a recorded request → the vendor's type of its body.
BODIES: dict[str, Any] = {
    "/chat/completions": chat_create_params.CompletionCreateParams,
    "/messages": message_create_params.MessageCreateParams,
    "/messages/count_tokens": message_count_tokens_params.MessageCountTokensParams,
    "/embeddings": embedding_create_params.EmbeddingCreateParams,
    "/responses": response_create_params.ResponseCreateParams,
    "/images/generations": image_generate_params.ImageGenerateParams,
    "/moderations": moderation_create_params.ModerationCreateParams,
    "/audio/speech": speech_create_params.SpeechCreateParams,
    "/completions": completion_create_params.CompletionCreateParams,
}

# Members that the installed SDK does not declare but servers of the dialect document.
EXTENSIONS = {
    # DeepSeek, vLLM and SGLang take back the reasoning they gave.
    ("/chat/completions", "reasoning_content"),
    # Sampling: every Messages API model but the newest takes these.
    ("/messages", "temperature"),
    ("/messages", "top_p"),
    ("/messages", "top_k"),
}


def errors(path: str, body: Any) -> list[str]:
    """What the vendor's type has against a body sent to `path`; empty when it fits or when no type is known."""
    suffix = max((known for known in BODIES if path.endswith(known)), key=len, default=None)
    if suffix is None:
        return []
    return _check(body, BODIES[suffix], "", suffix)


def _check(value: Any, kind: Any, at: str, suffix: str) -> list[str]:
    origin = get_origin(kind)
    if isinstance(kind, typing_extensions.TypeAliasType):
        return _check(value, kind.__value__, at, suffix)
    if kind in (Any, object, typing_extensions.Any):
        return []
    if origin in (typing.Annotated, typing.Required, typing.NotRequired, typing_extensions.Required, typing_extensions.NotRequired):
        return _check(value, get_args(kind)[0], at, suffix)
    if origin in (typing.Union, types.UnionType):
        return _union(value, get_args(kind), at, suffix)
    if origin in (typing.Literal, typing_extensions.Literal):
        allowed = get_args(kind)
        return [] if any(value == one and type(value) is type(one) for one in allowed) else [f"{at}: {value!r} is none of {allowed}"]
    if typing_extensions.is_typeddict(kind):
        return _typed_dict(value, kind, at, suffix)
    if origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            return [f"{at}: expected an object"]
        values = get_args(kind)[1] if get_args(kind) else Any
        return [error for name, member in value.items() for error in _check(member, values, f"{at}.{name}", suffix)]
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence, collections.abc.Collection):
        if not isinstance(value, list):
            return [f"{at}: expected an array, found {type(value).__name__}"]
        (element,) = get_args(kind) or (Any,)
        return [error for index, one in enumerate(value) for error in _check(one, element, f"{at}[{index}]", suffix)]
    return _plain(value, kind, at)


def _plain(value: Any, kind: Any, at: str) -> list[str]:
    if kind in (None, type(None)):
        fits = value is None
    elif kind is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif kind is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif kind is dict:
        fits = isinstance(value, dict)
    elif kind in (str, bool):
        fits = isinstance(value, kind)
    else:
        # Classes that only exist on the SDK's side (files, models): they never appear in JSON.
        fits = False
    return [] if fits else [f"{at}: {value!r:.60} is no {getattr(kind, '__name__', kind)}"]


def _typed_dict(value: Any, kind: Any, at: str, suffix: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: expected an object, found {type(value).__name__}"]
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    required = [name for name, hint in hints.items() if _is_required(name, hint, kind)]
    found = [f"{at}.{name}: required by {kind.__name__}" for name in required if name not in value]
    for name, member in value.items():
        if name in hints:
            found += _check(member, hints[name], f"{at}.{name}", suffix)
        elif (suffix, name) not in EXTENSIONS:
            found.append(f"{at}.{name}: unknown to {kind.__name__}")
    return found


def _is_required(name: str, hint: Any, kind: Any) -> bool:
    """Annotations that are text hide `Required` from `__required_keys__`, so the resolved hint has the first word."""
    origin = get_origin(hint)
    if origin in (typing.Required, typing_extensions.Required):
        return True
    return origin not in (typing.NotRequired, typing_extensions.NotRequired) and name in kind.__required_keys__


def _union(value: Any, kinds: tuple, at: str, suffix: str) -> list[str]:
    """No errors when one member fits, else the errors of the member that fits best."""
    best: list[str] | None = None
    for kind in kinds:
        found = _check(value, kind, at, suffix)
        if not found:
            return []
        if best is None or _distance(found) < _distance(best):
            best = found
    return best or []


def _distance(found: list[str]) -> tuple[int, int]:
    """A member whose first mismatch lies deeper is the one that was meant."""
    paths = [error.split(": ", 1)[0] for error in found]
    return (-min(path.count(".") + path.count("[") for path in paths), len(found))
