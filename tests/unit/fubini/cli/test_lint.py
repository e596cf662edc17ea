"""`fubini lint` by itself: files, folders, standard input, formats, exit codes; no server anywhere."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from fubini.cli import config
from fubini.cli.commands import imports
from fubini.cli.errors import CliError, Exit
from fubini.cli.lint import formats
from fubini.cli.lint.report import Checked, Lint
from fubini.cli.main import main
from fubini.cli.pyfile import manifests_of_program
from fubini.manifests.findings import Finding

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: good}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: a, command: [b]}
"""
BAD = GOOD.replace("entrypoint: main", "entrypoint: mian").replace("name: good", "name: bad")
WARNS = GOOD.replace("command: [b]", "command: ['{{parameters.x}}']").replace("name: good", "name: warns")
USES = GOOD.replace(
    "container: {image: a, command: [b]}", "steps: [[{name: x, templateRef: {name: t, template: say}}]]"
)
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: t}
spec:
  templates:
    - name: say
      container: {image: a}
"""


@pytest.fixture(autouse=True)
def options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "OPTIONS", config.Options())
    monkeypatch.setenv("FUBINI_HOME", str(tmp_path / "no-home"))
    monkeypatch.setenv("FUBINI_URL", "http://127.0.0.1:9")  # whoever asks a server fails at once
    monkeypatch.chdir(tmp_path)


def lint(*argv: str) -> int:
    return main(["lint", *argv])


def written(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def json_of(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    lint(*argv, "--format", "json")
    return json.loads(capsys.readouterr().out)


def test_a_good_manifest_is_silent_on_standard_output_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(written("good.yaml", GOOD)) == Exit.OK
    assert capsys.readouterr().out == ""


def test_an_error_is_written_as_compilers_do_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(written("bad.yaml", BAD)) == Exit.FAILED
    out = capsys.readouterr().out
    assert out.startswith("bad.yaml:5:3: error: spec.entrypoint: There is no template 'mian'.")
    assert "Found: mian. Allowed: main." in out and "(did you mean 'main'?)" in out


def test_a_file_that_cannot_be_read_is_a_mistake_of_use() -> None:
    assert lint("absent.yaml") == Exit.USAGE
    assert lint(written("good.yaml", GOOD), "--format", "xml") == Exit.USAGE


def test_a_warning_ends_with_0_unless_strict(capsys: pytest.CaptureFixture[str]) -> None:
    file = written("warns.yaml", WARNS)
    assert lint(file) == Exit.OK
    assert ": warning: " in capsys.readouterr().out
    assert lint(file, "--strict") == Exit.FAILED
    assert ": error: " in capsys.readouterr().out


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert lint("-") == Exit.FAILED
    assert capsys.readouterr().out.startswith("stdin:5:3: error")


def test_documents_of_one_file_are_counted_from_its_begin(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    report = json_of(capsys, written("all.yaml", "---\n".join([GOOD, secret, BAD])))
    assert [(d["name"], d["line"], d["ok"]) for d in report["documents"]] == [("good", 1, True), ("bad", 13, False)]
    assert [f["line"] for f in report["documents"][1]["findings"]] == [18]
    assert report["passed_over"] == [{"place": "all.yaml:9", "why": "Secret is no workflow"}]


def test_one_document_that_cannot_be_read_spoils_none_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    report = json_of(capsys, written("all.yaml", "---\n".join([GOOD, "a: [1\n", BAD])))
    codes = [[f["code"] for f in d["findings"]] for d in report["documents"]]
    assert codes == [[], ["yaml-syntax"], ["unknown-template"]]


def test_a_folder_is_walked_and_other_kinds_in_it_are_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    written("folder/deep/bad.yml", BAD)
    written("folder/good.json", json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}))
    written("folder/.hidden/bad.yaml", BAD)
    written("folder/notes.txt", "not a manifest")
    written("folder/program.py", "raise SystemExit(9)")
    report = json_of(capsys, "folder")
    assert [d["file"] for d in report["documents"]] == ["folder/deep/bad.yml"]
    assert [p["place"] for p in report["passed_over"]] == ["folder/good.json:1"]


def test_a_file_named_twice_is_checked_once(capsys: pytest.CaptureFixture[str]) -> None:
    written("folder/bad.yaml", BAD)
    assert json_of(capsys, "folder", "folder/bad.yaml")["errors"] == 1


def test_templates_beside_it_and_in_the_library_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    user, template = written("user.yaml", USES), written("templates/t.yaml", TEMPLATE)
    assert lint(user) == Exit.FAILED
    assert lint(user, template) == Exit.OK
    assert lint(user, "--library", "templates") == Exit.OK
    capsys.readouterr()
    written("templates/t.yaml", TEMPLATE.replace("image: a", "image: a, daemmon: true"))
    report = json_of(capsys, user, template)
    assert [[f["path"] for f in d["findings"]] for d in report["documents"]] == [
        [], ["spec.templates[0].container.daemmon"],
    ]  # fmt: skip
    written("templates/t.yaml", "a: [")
    assert lint(user, "--library", "templates") == Exit.USAGE


def test_parameters_are_judged_when_they_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    spec = "spec:\n  arguments: {parameters: [{name: x, enum: [a, b]}]}"
    file = written("p.yaml", GOOD.replace("spec:", spec))
    assert lint(file) == Exit.OK
    assert lint(file, "-p", "x=a") == Exit.OK
    assert lint(file, "-p", "x=c") == Exit.FAILED


RULES = "ignored: [tolerations]\nimages: {a: ours}\n"
CLUSTER = GOOD.replace("spec:", "spec:\n  tolerations: [{key: x}]")


def test_import_rules_come_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    file, rules = written("c.yaml", CLUSTER), written("rules.yaml", RULES)
    assert lint(file) == Exit.FAILED
    assert "import-rules --ignore tolerations" in capsys.readouterr().out
    assert lint(file, "--import-rules", rules) == Exit.OK
    assert lint(file, "--import-rules", rules, "--strict") == Exit.FAILED
    assert lint(file, "--import-rules", written("bad.yaml", "ignored: [podSpecPatch]")) == Exit.USAGE
    assert "'podSpecPatch' cannot be ignored" in capsys.readouterr().err


def test_an_import_is_explained_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    file, rules = written("c.yaml", CLUSTER), written("rules.yaml", RULES)
    report = json_of(capsys, file, "--explain-import")
    rows = {row["path"]: row for row in report["documents"][0]["import"]}
    assert rows["spec.tolerations"]["verdict"] == "refused"
    assert rows["spec.entrypoint"] == {"verdict": "honoured", "path": "spec.entrypoint", "count": 1, "note": ""}
    assert lint(file, "--explain-import", "--import-rules", rules) == Exit.OK
    out = capsys.readouterr().out
    assert "ignored     1      spec.tolerations" in out
    assert "a is read as ours, by the project's rules" in out


def test_changes_of_rules_are_put_together() -> None:
    now = {"ignored": ["metrics", "tolerations"], "node_labels": {"a": "b"}, "images": {"x": "y"}, "may_ignore": {}}
    changed = imports.rules_changed(
        now, ignore=["ports", "metrics"], refuse=["tolerations"], labels={"c=1": "d=2"}, without=["x"]
    )
    assert changed == {"ignored": ["metrics", "ports"], "node_labels": {"a": "b", "c=1": "d=2"}, "images": {}}
    with pytest.raises(CliError):
        imports.rules_changed(now, without=["absent"])


# --- formats -----------------------------------------------------------------------------------------------------

ODD = Finding("warning", "odd", "spec.a[0]", 3, 5, "100% of\nlines, here: \u202e", "a,b:c", "x", "", "Do\r\nit.")


def test_sarif_has_what_the_standard_requires(capsys: pytest.CaptureFixture[str]) -> None:
    file = written("some folder/bad%.yaml", BAD + "---\n" + WARNS)
    lint(file, "--format", "sarif")
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] and driver["version"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids)) and all(rule["shortDescription"]["text"] for rule in driver["rules"])
    assert [r["level"] for r in run["results"]] == ["error", "warning"]
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "some%20folder/bad%25.yaml"
        assert place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1
        assert location["logicalLocations"][0]["fullyQualifiedName"].startswith("spec.")


def test_sarif_of_nothing_is_a_run_without_results() -> None:
    log = formats.as_sarif(Lint(()), version="1")
    assert log["runs"][0]["results"] == [] and log["runs"][0]["tool"]["driver"]["rules"] == []


def test_sarif_names_an_absolute_file_by_a_uri() -> None:
    log = formats.as_sarif(Lint((Checked("/a b/c.yaml", 1, "", "", (ODD,)),)), version="1")
    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "file:///a%20b/c.yaml"


def test_github_annotations_are_escaped() -> None:
    text = formats.as_github(Lint((Checked("a,b:c%.yaml", 1, "", "", (ODD,)),)))
    assert text == (
        "::warning file=a%2Cb%3Ac%25.yaml,line=3,col=5,title=odd::spec.a[0]: 100%25 of%0Alines, here: \u202e "
        "Found: a,b:c. Allowed: x. Do%0D%0Ait.\n"
    )


def test_what_a_program_made_is_placed_at_its_first_line_in_sarif_and_annotations() -> None:
    made = Lint((Checked("w.py", 1, "", "", (ODD,), generated=True),))
    place = formats.as_sarif(made, version="1")["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 1}
    assert formats.as_github(made).startswith("::warning file=w.py,line=1,col=1,")


# --- Python files ------------------------------------------------------------------------------------------------

HERA = """\
from hera.workflows import Container, Workflow, WorkflowTemplate
print("words of its own")
with Workflow(name="made", entrypoint="main") as w:
    Container(name="main", image="a", command=["b"])
with WorkflowTemplate(name="kept", entrypoint="main") as t:
    Container(name="main", image="a", command=["b"])
"""


@pytest.mark.parametrize(
    ("end", "want"),
    [
        ("", ["made", "kept"]),
        ("w.create()", ["made"]),
        ("t.create(wait=True)\nt.create()", ["kept"]),
        ("print(w.to_yaml())", ["made"]),
        ("import sys\nprint(sys.argv, file=sys.stderr)", ["made", "kept"]),
    ],
    ids=["its variables", "what it creates", "once however often", "what it prints", "its standard error"],
)
def test_a_hera_file_gives_its_manifests(end: str, want: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    report = json_of(capsys, written("w.py", HERA + end + "\n"))
    assert [d["name"] for d in report["documents"]] == want
    assert report["ok"] and all(d["generated"] for d in report["documents"])


@pytest.mark.parametrize(
    ("program", "want"),
    [
        ("raise SystemExit(3)", "failed with exit code 3"),
        ("x = 1", "makes no manifest"),
        ("print('x' * 20_000_000)\nprint('apiVersion: a')", "makes no manifest"),
        ("print('apiVersion: a')\nprint('x' * 20_000_000)", "more than 16 MiB"),
    ],
)
def test_a_program_that_gives_nothing_says_why(program: str, want: str) -> None:
    with pytest.raises(CliError, match=want):
        manifests_of_program(Path(written("w.py", program)))


def test_a_program_that_never_ends_leaves_no_child_behind(tmp_path: Path) -> None:
    child = f"import subprocess, sys, time\nc = subprocess.Popen([sys.executable, '-c', '{'import time; time.sleep(90)'}'])\n"
    child += "open('pid', 'w').write(str(c.pid))\ntime.sleep(90)\n"
    with pytest.raises(CliError, match="did not end"):
        manifests_of_program(Path(written("w.py", child)), timeout_s=3)
    status = Path(f"/proc/{Path('pid').read_text()}/stat")

    def alive() -> bool:
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"

    for _ in range(100):  # the kernel ends it a moment after the kill
        if not alive():
            break
        time.sleep(0.05)
    assert not alive()


def test_a_manifest_of_several_documents_is_not_submitted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "submit", written("w.py", HERA)]) == Exit.USAGE
    assert "makes 2 manifests" in capsys.readouterr().err
