"""The working directory of a step over REST, while it runs and for a while after it failed."""

from __future__ import annotations

import base64
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import Invalid, NotFound
from fubini.common.saying import say
from fubini.rest.serializers import BodySerializer, ReplySerializer, big
from fubini.rest.views import ApiViews, operation
from fubini.runs.apis import task_visible
from fubini.runs.logs import text_cut
from fubini.runs.looks import ANSWER_S, look_make, look_wait

READ_MAX_BYTES = 256 * 1024


class LookAsk(BodySerializer):
    path = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=4000, trim_whitespace=False,
        help_text="As the step's command would say it; empty: its working directory.",
    )  # fmt: skip
    attempt = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Default: newest.")
    offset = big(default=0, help_text="Of a file: begin here; below zero, that many bytes before its end.")
    limit = serializers.IntegerField(min_value=1, max_value=READ_MAX_BYTES, default=64 * 1024)
    wait_s = serializers.IntegerField(
        min_value=0, max_value=int(ANSWER_S), default=int(ANSWER_S), help_text="How long to wait for the site's answer."
    )


class FileSeenOut(ReplySerializer):
    name = serializers.CharField()
    kind = serializers.ChoiceField(
        choices=["file", "directory", "link", "input", "other"],
        help_text="An input is shown to the step there and kept elsewhere; links are followed within the step's own files.",
    )
    size_bytes = serializers.IntegerField(source="size")
    modified_ms = serializers.IntegerField()


class LookOut(ReplySerializer):
    attempt = serializers.IntegerField()
    path = serializers.CharField(help_text="Absolute, as the step sees it.")
    kind = serializers.ChoiceField(choices=["file", "directory"])
    entries = FileSeenOut(many=True, help_text="Of a directory, sorted by name.")
    truncated = serializers.BooleanField(help_text="The directory has more entries than these.")
    size_bytes = serializers.IntegerField()
    modified_ms = serializers.IntegerField()
    offset = serializers.IntegerField()
    next_offset = serializers.IntegerField(help_text="Go on here.")
    text = serializers.CharField(help_text="Of a file, as UTF-8; values of secrets are hidden.")
    binary = serializers.BooleanField(help_text="It is no text, so `text` is empty.")
    live = serializers.BooleanField(help_text="The step may still write.")
    kept_until_ms = serializers.IntegerField(
        allow_null=True, help_text="Of a failed step: removed then, or earlier for room."
    )


class LookViews(ApiViews):
    """``/tasks/{id}/files``."""

    @operation("Look at the files of a step.", body=LookAsk, reply=LookOut, reads=True)
    def look(self, request: Request, id: str) -> Response:
        """Of a running step, or of one that failed a while ago: a directory's names, or a piece of a text file. The
        site's agent is asked, so this takes as long as its next word does; follow a file by asking from `next_offset`."""
        task: Any = task_visible(self.principal, id)
        wanted = self.body
        rows = [row for row in task.attempt_rows if wanted.get("attempt") in (None, row.number)]
        if not rows:
            raise NotFound("The step has no such attempt (yet).", next_step="Its files are there once it has started.")
        attempt = rows[-1]
        asked = look_make(attempt=attempt, path=wanted["path"], offset=wanted["offset"], limit=wanted["limit"])
        return self.reply(look_shown(look_wait(asked, wait_s=wanted["wait_s"]), attempt.number))


def look_shown(answer: dict[str, Any], number: int) -> dict[str, Any]:
    """An agent's answer as `LookOut` has it.

    Raises:
        NotFound, Invalid: the agent has nothing to show.
    """
    problem = answer["problem"]
    if problem == "missing":
        hint = "List the directory it should be in; a link that leads out of the step's own files leads nowhere."
        raise NotFound(say("There is nothing to see: {text}.", text=answer["text"]), next_step=hint)
    if problem == "gone":
        kept = "Failed steps are kept at their site for a day or so, by the site's own bounds."
        raise NotFound(say("There is nothing to see: {text}.", text=answer["text"]), next_step=kept)
    if problem or answer["kind"] not in ("file", "directory"):
        raise Invalid(
            answer["text"] or "The site's answer is not understood.",
            next_step="Go back to the working directory: its files and directories can be shown, and links that stay in it.",
        )
    raw = base64.b64decode(answer["content"])
    data = text_cut(raw, whole=not answer["live"] and answer["offset"] + len(raw) >= answer["size"])
    binary = b"\x00" in data
    known = {"file", "directory", "link", "input"}
    return {
        **{k: answer[k] for k in ("path", "kind", "truncated", "modified_ms", "offset", "live", "kept_until_ms")},
        "attempt": number,
        "entries": [e if e["kind"] in known else {**e, "kind": "other"} for e in answer["entries"]],
        "size_bytes": answer["size"],
        "next_offset": answer["offset"] + len(data),
        "text": "" if binary else data.decode("utf-8", "replace"),
        "binary": binary,
    }
