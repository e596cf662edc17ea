"""A Retry node: one attempt after the other until one succeeds or the strategy says stop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fubini.engines.embedded import tree
from fubini.engines.embedded.frames import FAILED_FAST, Call, Failed, Frame, begin
from fubini.engines.embedded.process import EngineError
from fubini.engines.embedded.program import any_string
from fubini.engines.embedded.scope import VariableScope, evaluate_bool
from fubini.engines.embedded.tree import Node
from fubini.language import durations, gojson
from fubini.language.errors import LanguageError
from fubini.runs.engine import NodePhase

if TYPE_CHECKING:
    from fubini.engines.embedded.process import Processed
    from fubini.engines.embedded.program import Template
    from fubini.engines.embedded.state import State

POLICIES = ("Always", "OnFailure", "OnError", "OnTransientError")
_MAX_WAIT_MS = (2**63 - 1) // 1_000_000
_TRANSIENT = ("i/o timeout", "TLS handshake timeout", "connection refused", "connection reset", "EOF")


class RetryFrame(Frame):
    """The attempts of one node."""

    def __init__(self, state: State, node: Node, template: Template, processed: Processed, depth: int) -> None:
        super().__init__(state, node, template, processed, depth)
        self.call: Call
        self.limit_ms: int | None = None  # when the attempt running must end, by maxDuration

    @property
    def strategy(self) -> Mapping[str, Any]:
        found = self.template.body.get("retryStrategy")
        if found is None:
            found = self.state.program.retry_strategy or {}
        strategy: Mapping[str, Any] = self.processed.sub(found)
        return strategy

    def private(self) -> dict[str, Any]:
        return {**super().private(), "call": {"kind": self.call.kind, "name": self.call.holder.get("name") or ""}}

    def start(self) -> None:
        self.attempt(0, None)

    def attempt(self, number: int, last: Node | None) -> None:
        """Start attempt `number`."""
        name = f"{self.node.name}({number})"
        outputs = (last.outputs if last is not None else None) or {}
        locals_ = {
            "retries": str(number),
            "lastRetry.exitCode": outputs.get("exitCode", "0"),
            "lastRetry.duration": _seconds(last) if last is not None else "0",
            "lastRetry.status": last.phase.value if last is not None else "",
            "lastRetry.message": last.message if last is not None else "",
        }
        if self.template.is_pod:
            locals_["pod.name"] = tree.pod_name(self.state.name, name, self.template.name)
        call = Call(
            name=name,
            holder=self.call.holder,
            arguments={},
            base=self.call.base,
            owner=self,
            boundary=self.call.boundary,
            slot=self.call.slot,
            kind=self.call.kind,
            on_exit=self.node.on_exit,
            flag={**(self.call.flag or {}), "retried": True},
            depth=self.depth,
            parents=(self.node,),
        )
        if self.node.hooked:
            # Argo's attempts share their flags with the Retry node of a hook
            self.node.flag = {**(self.node.flag or {}), "retried": True}
        try:
            processed = self.processed.attempt(locals_)
        except EngineError as error:
            self.fail(error.message)
            return
        outcome = begin(self.state, call, self.template, processed)
        if isinstance(outcome, Failed):
            self.failed(outcome)

    def ended(self, node: Node) -> None:
        attempts = self.node.attempts()
        if self.node.over or not attempts or attempts[-1] is not node:
            return
        if node.daemoned:
            self.node.address = node.address
            self.state.daemon_runs(self.node)
        elif not self.node.daemoned or (self.node.owner is not None and self.node.owner.revives(self.node)):
            self.decide()

    def failed(self, failure: Failed) -> None:
        """An attempt could not be executed: retried only where errors are."""
        if self.node.over:
            return
        policy = self.strategy.get("retryPolicy") or ("Always" if self.strategy.get("expression") else "OnFailure")
        if policy in ("Always", "OnError", "OnTransientError"):
            self.decide()
            return
        if self.node.phase is NodePhase.PENDING:
            # It passed a gate. Argo leaves it so, with its lock, and whoever else wants the lock waits for ever.
            self.state.mark(self.node, NodePhase.ERROR, failure.message, tell=False)
        self.report(failure.message)

    def timed_out(self, node: Node) -> None:
        self.ended(node)

    def report(self, message: str) -> None:
        """The node cannot be executed: its owner hears of it after what it is doing now."""
        owner = self.node.owner
        if owner is not None:
            self.state.work.append(lambda: owner.failed(Failed(self.node, message)))

    def decide(self) -> None:
        """The last attempt has ended: keep its end as the node's, wait, or try again."""
        boundary = self.node.boundary
        if boundary is not None and boundary.fulfilled and boundary.message == FAILED_FAST:
            return  # nobody looks at it any more
        attempts = self.node.attempts()
        last = attempts[-1]
        try:
            again = self.judge(attempts, last)
        except (EngineError, LanguageError) as error:
            message = str(error)
            self.state.mark(self.node, NodePhase.ERROR, message, tell=False)
            self.report(message)
            return
        if again:
            self.attempt(len(attempts), last)

    def judge(self, attempts: list[Node], last: Node) -> bool:
        """Whether to start the next attempt now; ends the node or sets a timer otherwise.

        Raises:
            EngineError: the strategy cannot be read.
            LanguageError: its expression or a duration cannot.
        """
        state = self.state
        if not last.failed:
            self.finish(NodePhase.SUCCEEDED, None, last)
            return False
        if state.shutdown:
            self.finish(last.phase, f"Stopped with strategy '{state.shutdown}'", last)
            return False
        if state.deadline is not None and state.now >= state.deadline and not self.node.on_exit:
            moment = datetime.fromtimestamp(state.deadline // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            self.finish(last.phase, f"retry exceeded workflow deadline {moment}", last)
            return False
        strategy = self.strategy
        backoff = strategy.get("backoff")
        if backoff:
            done = self.wait(backoff, strategy, attempts, last)
            if not done:
                return False
        policy = strategy.get("retryPolicy") or ("Always" if strategy.get("expression") else "OnFailure")
        if policy not in POLICIES:
            raise EngineError(f"{policy} is not a valid RetryPolicy")
        on_failed, on_error = policy in ("Always", "OnFailure"), policy in ("Always", "OnError")
        if policy == "OnTransientError":
            on_failed = on_error = any(word in last.message for word in _TRANSIENT)
        if not (on_failed if last.phase is NodePhase.FAILED else on_error):
            self.finish(last.phase, last.message, last)
            return False
        limit = _limit(strategy)
        if limit is not None and len(attempts) > limit:
            self.finish(last.phase, "No more retries left", last)
            return False
        if strategy.get("expression"):
            scope = VariableScope({}, _last_retry(attempts, last))
            if not evaluate_bool(strategy["expression"], scope):
                self.finish(last.phase, "retryStrategy.expression evaluated to false", last)
                return False
        return True

    def wait(self, backoff: Mapping[str, Any], strategy: Mapping[str, Any], attempts: list[Node], last: Node) -> bool:
        """Hold the next attempt back; -> whether the time has come."""
        state, node = self.state, self.node
        end: int | None = None
        if backoff.get("maxDuration"):
            end = (attempts[0].started or 0) + _duration(backoff["maxDuration"])
            if state.now > end:
                self.finish(last.phase, "Max duration limit exceeded", last)
                return False
        if not backoff.get("duration"):
            raise EngineError("no base duration specified for retryStrategy")
        base = _duration(backoff["duration"])
        pause = base
        factor = any_string(backoff.get("factor"))
        if factor is not None and _integer(factor) > 0:
            pause = min(base * _integer(factor) ** min(len(attempts) - 1, 1000), _MAX_WAIT_MS)
        if backoff.get("cap"):
            pause = min(pause, _duration(backoff["cap"]))
        due = (last.finished or state.now) + pause
        if end is not None and due > end:
            self.finish(last.phase, "Backoff would exceed max duration limit", last)
            return False
        limit = _limit(strategy)
        if state.now < due and limit is not None and len(attempts) <= limit:
            state.mark(node, node.phase, f"Backoff for {durations.humanize(pause)}")
            state.timer(f"retry:{node.id}", due)
            return False
        self.limit_ms = end
        state.mark(node, node.phase, "")
        return True

    def finish(self, phase: NodePhase, message: str | None, last: Node) -> None:
        if last.outputs is not None:
            self.node.outputs = dict(last.outputs)
        self.state.mark(self.node, phase, message, tell=not self.node.daemoned)

    def restore(self) -> None:
        """Nothing is kept in memory but the call."""

    def catch_up(self) -> None:
        if self.node.over:
            return
        attempts = self.node.attempts()
        if not attempts:
            self.start()
        elif attempts[-1].daemoned and not self.node.daemoned:
            self.ended(attempts[-1])  # it began to serve while nothing was done about it
        elif attempts[-1].over:
            self.decide()


def _seconds(node: Node) -> str:
    """A duration as Go prints seconds; node times have whole seconds once they were stored."""
    if node.finished is None or node.started is None:
        return "0"
    return gojson.format_value(float(node.finished // 1000 - node.started // 1000))


def _last_retry(attempts: list[Node], last: Node) -> dict[str, str]:
    outputs = last.outputs or {}
    return {
        "retries": str(len(attempts) - 1),
        "lastRetry.exitCode": outputs.get("exitCode", "-1"),
        "lastRetry.status": last.phase.value,
        "lastRetry.duration": _seconds(last),
        "lastRetry.message": last.message,
    }


def _duration(text: Any) -> int:
    shown = any_string(text) or ""
    try:
        return durations.parse(shown)
    except LanguageError as error:
        raise EngineError(f"unable to parse {shown} as a duration: {error.message}") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise EngineError(f"value '{text}' cannot be resolved to an int") from None


def _limit(strategy: Mapping[str, Any]) -> int | None:
    value = any_string(strategy.get("limit"))
    return None if value is None else _integer(value)
