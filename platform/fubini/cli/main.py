"""`fubini`: the command line. A REST client; nothing of Django is imported here.

Decides the set of commands, the options all of them share, and that every failure leaves as three lines and a stable
exit code (`fubini.cli.errors.Exit`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from fubini.cli.commands import (
    access,
    admin,
    budget,
    crons,
    data,
    flags,
    imports,
    links,
    lint,
    notices,
    operate,
    pipelines,
    places,
    quotas,
    run,
    secrets,
    shared,
)
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit
from fubini.common.saying import ASKED, language_of

app = typer.Typer(
    name="fubini",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Describe a computation once; run every step wherever it is soonest, cheapest or closest to its data.",
)


@app.callback()
def common(
    url: Annotated[str, typer.Option(help="The server (default: FUBINI_URL, the profile, or `fubini up` here).")] = "",
    project: Annotated[str, typer.Option("--project", help="The project (default: FUBINI_PROJECT).")] = "",
    profile: Annotated[str, typer.Option(help="A server signed into with `fubini login --name`.")] = "",
    home: Annotated[
        Path | None, typer.Option(help="The state folder of a local Fubini (default: FUBINI_HOME).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No remarks, only results and errors.")] = False,
    request_timeout: Annotated[float, typer.Option(help="Seconds one request may take.", min=0.1)] = 30.0,
) -> None:
    OPTIONS.url, OPTIONS.project, OPTIONS.profile = url or OPTIONS.url, project or OPTIONS.project, profile
    OPTIONS.home, OPTIONS.json, OPTIONS.quiet = home or OPTIONS.home, json or OPTIONS.json, quiet
    OPTIONS.timeout_s = request_timeout


access.add_to(app)
run.add_to(app)
pipelines.add_to(app)
lint.add_to(app)
crons.add_to(app)
data.add_to(app)
secrets.add_to(app)
shared.add_to(app)
links.add_to(app)
places.add_to(app)
imports.add_to(places.project_app)
quotas.add_to(places.project_app)
budget.add_to(app)
notices.add_to(app)
operate.add_to(app)
admin.add_to(app)
flags.add_to(admin.admin_app, places.project_app)

# Options of the whole program that people also write behind the command.
_FLAGS = {"--json": ("json", True), "--quiet": ("quiet", True), "-q": ("quiet", True)}
_VALUES = {"--project": "project", "--url": "url", "--profile": "profile", "--home": "home"}


def hoist(argv: list[str]) -> list[str]:
    """Move the shared options to the front, so that `fubini run list --json` means `fubini --json run list`."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        name, eq, _ = word.partition("=")
        if word == "--":
            rest += [word, *words]
            break
        if word in _FLAGS:
            front.append(word)
        elif name in _VALUES:
            front.append(word)
            if not eq:
                front += [value for value in [next(words, None)] if value is not None]
        else:
            rest.append(word)
    return front + rest


def fail(error: CliError) -> int:
    """Print an error; under `--json` also the server's problem document."""
    from fubini.cli.output import paint, plain, print_json

    if OPTIONS.json:
        found = error.problem or {
            "code": f"cli_{error.exit_code.name.lower()}",
            "title": error.what,
            "detail": error.why,
        }
        print_json({"error": {**found, "exit_code": int(error.exit_code)}})
    for number, line in enumerate(error.lines()):
        print(paint(plain(line), "red" if number == 0 else "", sys.stderr), file=sys.stderr)
    return int(error.exit_code)


def main(argv: list[str] | None = None) -> int:
    """Run one command; the console script's entry. Never raises."""
    words = hoist(sys.argv[1:] if argv is None else argv)
    # What the server says comes in the terminal's language; the CLI's own words, which scripts may know, are English.
    ASKED.set(language_of(next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")))
    OPTIONS.json = "--json" in words[: words.index("--")] if "--" in words else "--json" in words
    try:
        result = app(args=words, prog_name="fubini", standalone_mode=False)
        return int(result) if isinstance(result, int) else 0
    except CliError as error:
        return fail(error)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return int(Exit.INTERRUPTED)
    except typer.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        # The reader (head, less) has enough; nothing more may be written to it, not even by the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TyperException as error:
        text = error.format_message()
        if type(error).__name__ == "NoArgsIsHelpError":
            print(text)
            return int(Exit.USAGE)
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "fubini"
        return fail(CliError(text.rstrip("."), try_=f"{path} --help", exit_code=Exit.USAGE))
    except Exception as error:
        if os.environ.get("FUBINI_DEBUG"):
            raise
        return fail(
            CliError(
                f"the command line itself failed ({type(error).__name__})",
                why=str(error),
                try_="set FUBINI_DEBUG=1 for the whole story, and please report it",
            )
        )
