"""`fubini project import-rules`: how a project reads manifests that were made for a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.errors import CliError, Exit


def add_to(project_app: typer.Typer) -> None:
    project_app.command("import-rules")(import_rules)


def rules_of_file(path: Path) -> dict[str, Any]:
    """Import rules from a YAML or JSON file.

    Raises:
        CliError: it cannot be read, or something in it is wrong.
    """
    from fubini.manifests.import_rules import problems
    from fubini.manifests.load import load

    try:
        loaded = load(path.read_bytes())
    except OSError as error:
        raise CliError(f"cannot read {path}", why=error.strerror or str(error), exit_code=Exit.USAGE) from error
    if loaded.document is None:
        finding = loaded.findings[0]
        raise CliError(f"{path}:{finding.line}: {finding.message}", try_=finding.help, exit_code=Exit.USAGE)
    rules = {key: value for key, value in loaded.document.items() if key != "may_ignore"}
    wrong = list(problems(rules))
    if wrong:
        raise CliError(
            f"{path}: {wrong[0][1]}",
            why=f"allowed: {wrong[0][2]}",
            details=[f"{what} Allowed: {allowed}" for _, what, allowed in wrong[1:]],
            exit_code=Exit.USAGE,
        )
    return rules


def rules_changed(
    rules: Mapping[str, Any],
    *,
    ignore: Sequence[str] = (),
    refuse: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    images: Mapping[str, str] | None = None,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """The rules with some added and some taken away; `without` names a mapping by its left side."""
    kept = {key: dict(rules.get(key) or {}) for key in ("node_labels", "images")}
    kept["node_labels"] |= labels or {}
    kept["images"] |= images or {}
    for theirs in without:
        if not any(theirs in kept[key] for key in kept):
            raise CliError(
                f"nothing is mapped from {theirs!r}", try_="fubini project import-rules", exit_code=Exit.NOT_FOUND
            )
        for pairs in kept.values():
            pairs.pop(theirs, None)
    ignored = [name for name in dict.fromkeys([*rules.get("ignored", ()), *ignore]) if name not in refuse]
    return {"ignored": ignored, **kept}


def _pairs(given: Sequence[str] | None, sign: str, option: str) -> dict[str, str]:
    found = {}
    for text in given or ():
        theirs, middle, ours = text.partition(sign)
        if not theirs or not middle:
            raise CliError(f"{option} {text!r} is not THEIRS{sign}OURS", exit_code=Exit.USAGE)
        found[theirs] = ours
    return found


def import_rules(
    ignore: Annotated[
        list[str] | None, typer.Option(help="Let a cluster-only field pass with a warning; again for more.")
    ] = None,
    refuse: Annotated[list[str] | None, typer.Option(help="Refuse such a field again.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="THEIRS:OURS, node labels as KEY or KEY=VALUE; nothing after the colon drops the condition."),
    ] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="THEIRS=OURS, image names; * at the end fits any end.")
    ] = None,
    without: Annotated[list[str] | None, typer.Option(help="Take a mapping away, by THEIRS.")] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="Replace all rules by those of a YAML or JSON file.")
    ] = None,
) -> None:
    """How the project reads manifests made for a cluster; without options: what it is now.

    By default a field that only a cluster acts on is refused. A maintainer may let some pass with a warning, and map the
    group's node labels and image names to those of our sites. Runs keep the rules they were submitted with.
    """
    client = connect()
    path = f"/projects/{segment(client.project)}/import-rules"
    labels, images = _pairs(label, ":", "--label"), _pairs(image, "=", "--image")
    changes = any((ignore, refuse, labels, images, without))
    if file is not None:
        rules: Mapping[str, Any] = rules_of_file(file)
    else:
        rules = client.get(path)
    if changes or file is not None:
        body = rules_changed(
            rules, ignore=ignore or (), refuse=refuse or (), labels=labels, images=images, without=without or ()
        )
        rules = client.put(path, body)
    output.show(rules, lambda: rules_text(rules))


def rules_text(rules: Mapping[str, Any]) -> str:
    """The rules for people: what passes, what is mapped, what else could pass."""
    lines = [f"{name} is ignored with a warning: {rules['may_ignore'][name]}" for name in rules["ignored"]]
    lines += [f"node label {a} is read as {b or 'nothing'}" for a, b in rules["node_labels"].items()]
    lines += [f"image {a} is read as {b}" for a, b in rules["images"].items()]
    rest = [name for name in rules["may_ignore"] if name not in rules["ignored"]]
    lines += [f"refused unless --ignore names it: {', '.join(rest)}"] if rest else []
    return "\n".join(output.plain(line) for line in lines)
