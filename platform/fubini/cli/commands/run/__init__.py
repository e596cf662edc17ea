"""`fubini run ...`, `fubini quote` and `fubini why`: a run from its submit to its results.

Decides the set of these commands and their order in the help; each lies in the module that its header names.
"""

from __future__ import annotations

import typer

from fubini.cli.commands.run import change, follow, inputs, left, quote, show, signals, submit, why

run_app = typer.Typer(no_args_is_help=True, help="Runs: submit, watch, logs, results.")


def add_to(app: typer.Typer) -> None:
    for name, command in (
        ("submit", submit.run_submit),
        ("watch", follow.run_watch),
        ("inputs", inputs.run_inputs),
        ("list", show.run_list),
        ("get", show.run_get),
        ("logs", left.run_logs),
        ("files", left.run_files),
        ("update", change.run_update),
        ("delete", change.run_delete),
        ("manifest", show.run_manifest),
        ("outputs", left.run_outputs),
        ("origin", left.run_origin),
    ):
        run_app.command(name)(command)
    signals.add_to(run_app)
    app.add_typer(run_app, name="run")
    app.command("runs")(show.run_list)
    app.command()(quote.quote)
    app.command()(why.why)
