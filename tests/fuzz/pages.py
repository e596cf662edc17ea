"""Hostile names, logs and artifacts in a real browser: whatever the API answers with, no script of it runs.

The pages of a live server are opened again and again while their answers are changed on the way: every text that people or
steps write (names, messages, labels, parameters, log lines, artifacts' content) is replaced by an attack, numbered. A case
is one such text that reached the browser. Oracle: nothing of it is executed (a hook that every attack calls, dialogs,
policy reports of inline scripts, requests and navigations to what it names), none of its elements is in the page's own
document, no link leads to a scheme that runs, and the page itself still stands.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.common import FuzzResult, main
from tests.support.pages import addresses, filled
from tests.support.stack import ROOT, Stack, stack

# Texts that people, steps and other systems write. The rest (ids, states, kinds, units, times) are the server's own words.
FREE = frozenset(
    {
        "name",
        "display_name",
        "message",
        "description",
        "detail",
        "help",
        "title",
        "label",
        "labels",
        "value",
        "default",
        "template",
        "template_name",
        "node",
        "text",
        "path",
        "actor",
        "submitted_by",
        "created_by",
        "error",
        "next_step",
        "found",
        "image",
        "reason",
        "note",
        "username",
        "url",
        "file",
        "summary",
        "content",
    }
)
FREE_MAPS = frozenset({"labels", "parameters", "arguments", "outputs", "annotations"})
# A row of a table is shown as often, each with attacks of its own, so that an opening of a page tries more of them; what
# is drawn by its ids is not.
COPIES = 4
DRAWN = frozenset({"nodes", "edges", "parameters", "inputs"})
HOOK = """
window.fubiniHits = [];
window.hit = (n) => { window.fubiniHits.push("ran " + n); return ""; };
addEventListener("securitypolicyviolation", (e) => {
  if (/^(inline|eval|data|blob)$/.test(e.blockedURI) && e.effectiveDirective.startsWith("script"))
    window.fubiniHits.push("policy stopped " + e.effectiveDirective + " " + (e.sample || ""));
});
"""
FOUND = """() => ({
  hits: window.fubiniHits || [],
  elements: [...document.querySelectorAll("[data-evil], [onerror], [onload], [onclick], [onfocus], script:not([src])")]
    .map(e => e.outerHTML.slice(0, 200)),
  links: [...document.querySelectorAll("[href], [src], [action], [formaction]")]
    .flatMap(e => ["href", "src", "action", "formaction"].map(a => e.getAttribute(a)).filter(Boolean))
    .filter(u => { try { const to = new URL(u, location.href);
      return !/^(https?|blob):$/.test(to.protocol) && !u.startsWith("data:image/") || to.host === "evil.invalid"; } catch { return false; } }),
  failed: [...document.querySelectorAll("[role=alert]")].map(e => e.textContent).filter(t => /page has failed/.test(t)),
  empty: !document.querySelector("#root")?.children.length,
})"""
ATTACKS = [
    "<script data-evil>hit({n})</script>", "</script><script data-evil>hit({n})</script>", "<img data-evil src=x onerror=hit({n})>",
    "\"><svg data-evil onload=hit({n})>", "'><body data-evil onload=hit({n})>", "javascript:hit({n})", "JaVaScRiPt:hit({n})//",
    "<a data-evil href=javascript:hit({n})>click</a>", "<iframe data-evil srcdoc='<script>parent.hit({n})</script>'></iframe>",
    "{{{{constructor.constructor('hit({n})')()}}}}", "${{hit({n})}}", "\x1b]8;;javascript:hit({n})\x07link\x1b]8;;\x07",
    "\x1b[31mred\x1b[0m {n} \x1b[2J\x1b[H", "\x1b]8;;http://evil.invalid/{n}\x1b\\x\x1b]8;;\x1b\\", "\u202e{n}gpj.exe",
    "\u2066{n}\u2069\u200b\u200d\ufeff",
    "\u0627\u0644\u0639 {n} \u05e9\u05dc\u05d5\u05dd", "<style data-evil>*{{background:url(http://evil.invalid/{n})}}</style>",
    "<link data-evil rel=stylesheet href=http://evil.invalid/{n}>", "<meta data-evil http-equiv=refresh content='0;url=http://evil.invalid/{n}'>",
    "<form data-evil action=javascript:hit({n})><input autofocus onfocus=hit({n})>", "<base data-evil href=http://evil.invalid/{n}/>",
    "<math><mtext><table><mglyph><style><!--</style><img data-evil src onerror=hit({n})>", "<![CDATA[<img data-evil src onerror=hit({n})>]]>",
    "\0{n}\x08\x7f", "__proto__", "constructor", "toString", "%3Cscript%3Ehit({n})%3C/script%3E", "&lt;img src onerror=hit({n})&gt;",
    "data:text/html,<script>hit({n})</script>", "../../../{n}", "//evil.invalid/{n}",
    "=HYPERLINK(\"http://evil.invalid/{n}\")", "e\u0301" * 40 + "{n}",
]  # fmt: skip
DOCUMENTS = {
    ".html": "<html><head><meta http-equiv=refresh content='0;url=http://evil.invalid/{n}'></head><body onload=parent.hit({n})>"
    "<script>parent.hit({n});top.location='http://evil.invalid/{n}'</script><img src=http://evil.invalid/{n}>{a}</body></html>",
    ".svg": "<svg xmlns='http://www.w3.org/2000/svg' onload='hit({n})'><script>parent.hit({n})</script><foreignObject>{a}</foreignObject>"
    "<image href='http://evil.invalid/{n}'/><a href='javascript:hit({n})'><text y='20'>x</text></a></svg>",
    ".csv": "a,{a}\n1,2\n{a},3\n", ".json": '{{"__proto__": {{"x": 1}}, "{n}": "<img src onerror=hit({n})>"}}', ".txt": "{a}\n" * 20,
    ".md": "[x](javascript:hit({n})) {a} ![y](http://evil.invalid/{n})", ".xyz": "2\n{a}\nO 0 0 0\nH 1 0 {n}\n",
}  # fmt: skip
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: plain-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: count, value: "2"}]}
  templates:
  - name: main
    steps: [[{name: work, template: work, withSequence: {count: "8"}}], [{name: leave, template: leave}]]
  - {name: work, script: {image: busybox, command: [sh], source: "echo hello"}}
  - name: leave
    script: {image: busybox, command: [sh], source: "mkdir /tmp/out; for e in FILES; do echo x > /tmp/out/file$e; done; exit 0"}
    outputs: {artifacts: [{name: out, path: /tmp/out}]}
""".replace("FILES", " ".join(DOCUMENTS))


class Poison:
    """Makes attacks and counts those that were handed to the browser."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def text(self) -> str:
        self.count += 1
        attack = self.rng.choice(ATTACKS).format(n=self.count)
        roll = self.rng.random()
        if roll < 0.25:
            attack = self.rng.choice(ATTACKS).format(n=self.count) + attack
        elif roll < 0.3:
            attack += "x" * self.rng.choice([300, 5_000])
        return attack

    def document(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: self.document(v, key if key in FREE_MAPS else k) for k, v in value.items()}
        if isinstance(value, list):
            copies = COPIES if key not in DRAWN and value and isinstance(value[0], dict) else 1
            return [self.document(renamed(v, n), key) for v in value for n in range(copies)]
        if isinstance(value, str) and value and key in FREE | FREE_MAPS and self.rng.random() < 0.9:
            return self.text()
        return value

    def artifact(self, path: str) -> str:
        self.count += 1
        ending = Path(path).suffix if Path(path).suffix in DOCUMENTS else self.rng.choice(list(DOCUMENTS))
        return DOCUMENTS[ending].format(n=self.count, a=self.rng.choice(ATTACKS).format(n=self.count))


def renamed(row: Any, copy: int) -> Any:
    """A copy of a row under an id and numbers of its own, as rows are; the first is the row itself."""
    if not copy or not isinstance(row, dict):
        return row
    own = {k: f"{v[:-2]}{copy:02d}" for k, v in row.items() if k == "id" and isinstance(v, str)}
    return (
        row | own | {k: row[k] + 1_000 * copy for k in ("number", "job_number", "seq") if isinstance(row.get(k), int)}
    )


def pages_of(things: dict[str, str]) -> list[str]:
    """Every page and tab, and those that show more with something chosen in their address."""
    run, pipeline = things["runs"], things["pipelines"]
    more = [f"/launch?pipeline={pipeline}", f"/launch?from={run}", f"/runs/compare?a={run}&b={run}"]
    return [filled(path, things) for path in addresses()] + more


def _answers(base: str, poison: Poison) -> Callable[[Any], None]:
    # Who is signed in and which project is shown decide what is asked at all; they stay as they are.
    kept = re.compile(r"/api/v1/(me|login|projects)(\?|$)|/api/v1/events")

    def answer(route: Any) -> None:
        url = route.request.url
        if not url.startswith(base) or kept.search(url):
            return route.continue_()
        try:
            real = route.fetch(max_redirects=5)
        except Exception:  # the page was left meanwhile
            return None
        kind = real.headers.get("content-type", "")
        if "/content" in url or "/objects" in url or "/entries/" in url:
            return route.fulfill(status=200, content_type="text/plain", body=poison.artifact(url.partition("?")[0]))
        if "json" in kind and real.status in (200, 404):
            document = json.loads(real.body())
            if "/logs" in url and isinstance(document, dict):
                document = {
                    k: "".join(poison.text().replace("\n", " ") + "\n" for _ in range(40))
                    if isinstance(v, str) and len(v) > 3 and k in ("text", "data", "content")
                    else v
                    for k, v in document.items()
                }
            return route.fulfill(status=real.status, content_type=kind, body=json.dumps(poison.document(document)))
        if "/logs" in url and real.status == 200:
            headers = {k: v for k, v in real.headers.items() if k.lower().startswith(("x-", "content-type"))}
            body = "".join(poison.text().replace("\n", " ") + "\n" for _ in range(40))
            return route.fulfill(status=200, headers=headers, body=body)
        return route.fulfill(response=real)

    return answer


def _control(page: Any, result: FuzzResult) -> None:
    """What is looked for is seen when it is there: an attack put into the page by force, which its policy then stops."""
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', `<a href='javascript:hit(0)'><img data-evil src=x onerror=hit(0)></a>`)"
    )
    page.wait_for_timeout(300)
    found = page.evaluate(FOUND)
    for kind in ("hits", "elements", "links"):
        if not found[kind]:
            result.fail(f"control: an attack that is in the page is not seen by its {kind}")


def _visits(running: Stack, things: dict[str, str], count: int, poison: Poison, result: FuzzResult) -> Iterator[str]:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as play:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        context = browser.new_context(locale="en-US", viewport={"width": 1200, "height": 900})
        context.add_init_script(HOOK)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(running.url)
        page.locator("input[autocomplete=username]").fill("admin")
        page.locator("input[autocomplete=current-password]").fill((running.home / "admin.password").read_text().strip())
        page.keyboard.press("Enter")
        page.locator("nav a").first.wait_for()
        where = {"path": ""}
        page.on("dialog", lambda d: (result.fail(f"{where['path']}: a dialog opened: {d.message[:100]}"), d.dismiss()))
        page.on("pageerror", lambda e: result.fail(f"{where['path']}: the page threw: {str(e)[:300]}"))
        page.on("popup", lambda p: result.fail(f"{where['path']}: a window opened: {p.url[:100]}"))
        ours = (f"{running.url}/", "data:", "blob:", "about:")
        page.on(
            "request",
            lambda r: None if r.url.startswith(ours) else result.fail(f"{where['path']}: asked for {r.url[:200]}"),
        )
        context.route("**/api/v1/**", _answers(running.url, poison))
        _control(page, result)
        paths = pages_of(things)
        turn = 0
        while turn < len(paths) or (poison.count < count and turn < len(paths) + count // 10):
            path = where["path"] = paths[turn % len(paths)]
            turn += 1
            page.goto(running.url + path)
            page.locator("#content").wait_for()
            with contextlib.suppress(Error):  # a page that asks on for a while is looked at as it is
                page.wait_for_load_state("networkidle", timeout=2_000)
            if path.endswith("/steps"):
                row = page.get_by_role("listitem").get_by_role("button")
                if row.count():
                    row.first.click()
                    page.wait_for_timeout(300)
            found = page.evaluate(FOUND)
            for kind in ("hits", "elements", "links", "failed"):
                for what in found[kind]:
                    result.fail(f"{path}: {kind}: {what}")
            if found["empty"]:
                result.fail(f"{path}: the page is empty")
            if not page.url.startswith(running.url):
                result.fail(f"{path}: the browser was led to {page.url[:200]}")
            yield path
        browser.close()


def run(count: int, seed: int) -> FuzzResult:
    """At least `count` attacks shown, on every page in turn."""
    result = FuzzResult("pages", seed)
    if not shutil.which("chromium") or not (ROOT / "frontend" / "dist" / "index.html").exists():
        result.worst["left out"] = "needs a browser (apt-get install chromium) and the built pages (make web)"
        return result
    poison = Poison(random.Random(seed))
    with stack() as running:
        run_id = running.submit(MANIFEST)
        running.wait(run_id, 120)
        pipeline = running.post("pipelines", {"project": running.project, "name": "plain", "manifest": MANIFEST})
        dataset = running.post("datasets", {"project": running.project, "name": "plain"})
        things = {"runs": run_id, "pipelines": pipeline["id"], "data": dataset["id"]}
        for path in _visits(running, things, count, poison, result):
            result.outcomes[re.sub(r"/\w{20,}", "/:id", path)] += 1
    result.inputs = poison.count
    if poison.count < count:
        result.fail(f"only {poison.count} attacks reached the browser; {count} were wanted")
    return result


if __name__ == "__main__":
    raise SystemExit(main(run, 2_000))
