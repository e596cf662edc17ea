"""Leaves the platform performs itself, on no site: `http` requests and `data` listings.

Decides what is to be done and what came of it in Argo's words; who does it, and when, is the platform's.
Source: Argo's agent (executeHTTPTemplate) and its data executor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.remote import headers_of, split_key
from fubini.language.errors import LanguageError
from fubini.runs.engine import HttpCall, LeafOutcome, Listing, NodePhase, OpenTask, OutcomeKind, TaskSpec

if TYPE_CHECKING:
    from fubini.engines.embedded.process import Processed
    from fubini.engines.embedded.state import State
    from fubini.engines.embedded.tree import Node

TIMEOUT_S = 30  # of a request that says nothing, as Argo documents it
TIMEOUT_MAX_S = 300


def open_inhouse(state: State, node: Node, processed: Processed) -> str:
    """Ask the platform to perform a leaf; -> a message where it cannot even be asked."""
    if state.shutdown and not (state.shutdown == "Stop" and node.on_exit):
        state.mark(node, NodePhase.FAILED, f"workflow shutdown with strategy: {state.shutdown}")
        return ""
    template = processed.template
    try:
        if template.kind == "http":
            spec = TaskSpec(template.name, "", (), http=_call(processed.leaf(template.body["http"])))
        else:
            spec = TaskSpec(template.name, "", (), listing=_listing(processed.leaf(template.body["data"])))
    except (EngineError, LanguageError) as error:
        return error.message
    state.command(OpenTask(node.id, node.generation, spec))
    return ""


def _call(section: Mapping[str, Any]) -> HttpCall:
    if not section.get("url"):
        raise EngineError("http needs a url")
    seconds = any_string(section.get("timeoutSeconds"))
    timeout_s = TIMEOUT_S
    if seconds is not None:
        if not (seconds.isascii() and seconds.isdigit() and 0 < int(seconds[:9]) <= TIMEOUT_MAX_S):
            raise EngineError(f"timeoutSeconds '{seconds}' is not a whole number from 1 to {TIMEOUT_MAX_S}")
        timeout_s = int(seconds)
    return HttpCall(
        url=section["url"],
        method=(section.get("method") or "GET").upper(),
        headers=headers_of(section.get("headers")),
        body=any_string(section.get("body")) or "",
        body_base64=(section.get("bodyFrom") or {}).get("bytes") or "",
        insecure=bool(section.get("insecureSkipVerify")),
        timeout_s=timeout_s,
        success_condition=section.get("successCondition") or "",
    )


def _listing(section: Mapping[str, Any]) -> Listing:
    place = (section.get("source") or {}).get("artifactPaths") or {}
    key = (place.get("s3") or {}).get("key") or ""
    if not key:
        raise EngineError("data needs source.artifactPaths.s3.key, the key of an artifact or dataset")
    base, below = split_key(key)
    return Listing(base, below, tuple(step.get("expression") or "" for step in section.get("transformation") or ()))


def http_verdict(outcome: LeafOutcome) -> tuple[NodePhase, str]:
    """Phase and message of an HTTP node: whatever went wrong with the request is a failure, as with Argo's agent."""
    if outcome.kind is OutcomeKind.PLATFORM:
        return NodePhase.ERROR, outcome.error or "the platform could not make this request"
    if outcome.kind is OutcomeKind.CANCELLED:
        return NodePhase.FAILED, outcome.error or "the step was cancelled"
    if outcome.kind is OutcomeKind.EXITED and not outcome.error:
        return NodePhase.SUCCEEDED, ""
    return NodePhase.FAILED, outcome.error or "the request failed"
