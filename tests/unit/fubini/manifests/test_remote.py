"""What a manifest fetches is judged at submit as far as its text tells."""

from __future__ import annotations

import pytest

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: url, value: x}]}
  templates:
    - name: main
      inputs:
        artifacts:
          - {name: in, path: /in, %s}
      container: {image: busybox, command: ["true"]}
"""


def findings(artifact: str) -> list[tuple[str, str, str]]:
    report = check_manifest(MANIFEST % artifact, supported=SUPPORTED, parameters={})
    return [(f.code, f.path.removeprefix("spec.templates[0].inputs.artifacts[0]."), f.kind) for f in report.errors]


@pytest.mark.parametrize(
    "artifact",
    [
        "http: {url: 'https://example.org/x', headers: [{name: A, value: b}]}",
        "http: {url: 'https://example.org/x', auth: {basicAuth: {usernameSecret: {name: s, key: u}, passwordSecret: {name: s, key: p}}}}",
        "http: {url: '{{workflow.parameters.url}}'}, archive: {none: {}}",
        "git: {repo: 'https://example.org/r.git', revision: v1, depth: 1, singleBranch: true, branch: main, disableSubmodules: true}",
        "s3: {endpoint: 's3.example.org', bucket: b, key: k, region: r, insecure: true, accessKeySecret: {name: s, key: a}}",
        "s3: {key: 'dataset/methanol@1'}",
    ],
)
def test_what_is_honoured_is_accepted(artifact: str) -> None:
    assert findings(artifact) == []


@pytest.mark.parametrize(
    ("artifact", "want"),
    [
        ("http: {url: 'https://u:canary@example.org/x'}", ("credentials-in-url", "http.url", "unsupported")),
        ("git: {repo: 'https://canary@example.org/r.git'}", ("credentials-in-url", "git.repo", "unsupported")),
        ("git: {repo: 'git@example.org:r.git'}", ("remote-scheme", "git.repo", "unsupported")),
        ("git: {repo: 'ssh://git@example.org/r.git'}", ("remote-scheme", "git.repo", "unsupported")),
        ("http: {url: 'ftp://example.org/x'}", ("remote-scheme", "http.url", "unsupported")),
        ("git: {repo: 'https://e.org/r', disableSubmodules: false}", ("submodules", "git.disableSubmodules", "unsupported")),
        ("git: {repo: 'https://e.org/r', sshPrivateKeySecret: {name: s, key: k}}", ("unsupported", "git.sshPrivateKeySecret", "unsupported")),
        ("http: {url: 'https://e.org/r', auth: {oauth2: {tokenURLSecret: {name: s, key: k}}}}", ("unsupported", "http.auth.oauth2", "unsupported")),
        ("s3: {bucket: b, key: k, useSDKCreds: true}", ("unsupported", "s3.useSDKCreds", "unsupported")),
        ("gcs: {bucket: b, key: k}", ("unsupported", "gcs", "unsupported")),
    ],
)  # fmt: skip
def test_the_rest_is_refused_by_its_path(artifact: str, want: tuple[str, str, str]) -> None:
    assert findings(artifact) == [want]


def test_no_finding_repeats_credentials() -> None:
    report = check_manifest(
        MANIFEST % "http: {url: 'https://u:canary@example.org/x'}", supported=SUPPORTED, parameters={}
    )
    assert "canary" not in str([f.as_dict() for f in report.findings])


TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates: [{name: main, %s}]
"""


@pytest.mark.parametrize(
    ("template", "want"),
    [
        ("http: {url: 'https://e.org', headers: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], timeoutSeconds: 3}", []),
        ("data: {source: {artifactPaths: {name: a, s3: {key: k}}}, transformation: [{expression: data}]}", []),
        ("http: {url: 'https://e.org'}, timeout: 3s", ["timeout"]),
        ("http: {url: 'https://u:p@e.org'}", ["http.url"]),
        ("data: {source: {artifactPaths: {name: a, s3: {key: k}}}, transformation: [{expression: data}]}, "
         "outputs: {artifacts: [{name: f, path: /f}]}", ["outputs.artifacts"]),
        ("data: {source: {artifactPaths: {name: a, s3: {key: k, bucket: b}}}, transformation: [{expression: data}]}",
         ["data.source.artifactPaths.s3.bucket"]),
        ("data: {source: {artifactPaths: {name: a, git: {repo: 'https://e.org'}}}, transformation: [{expression: data}]}",
         ["data.source.artifactPaths.git"]),
    ],
)  # fmt: skip
def test_http_and_data_templates_are_honoured_as_far_as_they_go(template: str, want: list[str]) -> None:
    report = check_manifest(TEMPLATE % template, supported=SUPPORTED, parameters={})
    assert [f.path.removeprefix("spec.templates[0].") for f in report.errors] == want
