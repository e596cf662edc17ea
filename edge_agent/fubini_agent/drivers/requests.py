"""What the keeper is asked to start: commands, their variables, and the root they share.

Nothing is done here; `local.py` decides when, and the keeper starts. A step of several containers is one request whose
``containers`` are all its commands, each with the environment of its own image, in one root that shows all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from fubini_agent import private_root
from fubini_agent.config import DeviceSetting, SiteFile
from fubini_agent.drivers.secrets_desk import SecretsDesk
from fubini_agent.environments import Environments, HostEnvironment
from fubini_agent.staging import names
from fubini_agent.staging.layout import Layout
from fubini_protocol.v1.messages import Container, ExecSpec, LeaseOffer

#: The only variables of the agent's own that a step sees.
_PASSED_ON = ("TZ", "LANG")

#: The indices an attempt may use, by device name.
Granted = tuple[tuple[str, tuple[int, ...]], ...]


def images_of(spec: ExecSpec) -> list[str]:
    """The images a step needs, each once, the one that stands for it first."""
    return list(dict.fromkeys([spec.image, *(part.image for part in spec.containers)]))


def bindable(path: str) -> bool:
    """Not already seen through /usr or another host directory."""
    return os.path.exists(path) and not any(names.is_below(path, folder) for folder in private_root.HOST_DIRS)


def env_binds(environment: HostEnvironment) -> list[tuple[str, str]]:
    """What of the host an environment shows beside what every step sees."""
    return [(path, path) for path in environment.binds if bindable(path)]


class Requests:
    """Makes the keeper's start requests for one agent's steps."""

    def __init__(
        self,
        keeper: Path,
        site: SiteFile,
        *,
        userns: bool,
        overlay: bool,
        devices: Mapping[str, DeviceSetting],
        binds: list[tuple[str, str]],
        links: list[tuple[str, str]],
    ) -> None:
        self.keeper = keeper
        self.site = site
        self.userns = userns
        self.overlay = overlay
        self.devices = devices
        self.binds = binds
        self.links = links
        self.dev_nodes = private_root.device_nodes([])
        self._shown: dict[str, list[tuple[str, str]]] = {}

    def start(
        self, offer: LeaseOffer, layout: Layout, granted: Granted, environments: Environments, secrets: SecretsDesk
    ) -> dict[str, Any]:
        """The request for one attempt.

        Raises:
            StepFault: an image is not known here.
        """
        spec = offer.spec
        known = {image: environments.for_image(image) for image in images_of(spec)}
        limits = [limit for limit in (spec.deadline_s, spec.walltime_s) if limit is not None]
        request: dict[str, Any] = {
            "op": "start",
            "id": offer.attempt_id,
            "fence": offer.fence,
            **self._command(
                offer, spec, layout, granted, known[spec.image], "", secrets.env(offer.attempt_id)
            ),
            "memory_bytes": spec.memory_bytes,
            "cpu_millis": spec.cpu_millis,
            "grace_s": spec.grace_s,
            "limit_s": min(limits) if limits else None,
            "note": {
                "top": str(layout.top),
                "private": layout.private,
                "devices": granted,
                "overlays": [[over.inside, str(over.upper), str(over.work)] for over in layout.overlays],
                "shares": [[str(s.host), s.below, s.inside, s.read_only, s.foreign] for s in layout.shares],
            },
        }
        if spec.containers:
            request["containers"] = [
                {
                    **self._command(
                        offer,
                        part,
                        layout,
                        granted,
                        known[part.image],
                        "" if part.name == spec.principal else part.name,
                        secrets.env(offer.attempt_id, part.name),
                    ),
                    "name": part.name,
                    "kind": part.kind.value,
                    "after": part.after,
                    "runs": part.runs,
                    "delay_s": part.delay_s,
                }
                for part in spec.containers
            ]
        machine = self.site.machine
        if machine.slots:
            request["slots"] = {
                "folder": machine.slots_dir,
                "count": machine.slots,
                "take": -(-spec.cpu_millis // 1000),
            }
        if layout.private:
            request["root"] = self._root(layout, known, granted)
        return request

    def _command(
        self,
        offer: LeaseOffer,
        part: Union[ExecSpec, Container],
        layout: Layout,
        granted: Granted,
        environment: HostEnvironment,
        container: str,
        secret: Mapping[str, str],
    ) -> dict[str, Any]:
        argv = list(part.argv)
        if part.source is not None:
            argv.append(private_root.SCRIPT_PATH if layout.private else str(layout.top / "script"))
        stdout, stderr = layout.spools(container)
        return {
            "argv": argv,
            "env": self._env(offer, {**secret, **dict(part.env)}, environment, layout, granted),
            "cwd": part.working_dir or ("/" if container else layout.cwd),
            "make_cwd": layout.private,
            "stdout": str(stdout),
            "stderr": str(stderr),
        }

    def _root(self, layout: Layout, known: Mapping[str, HostEnvironment], granted: Granted) -> dict[str, Any]:
        nodes = []
        for name, indices in granted:
            of_kind = self.devices[name].nodes
            nodes += [of_kind[index] for index in indices if index < len(of_kind)]
        shown: list[tuple[str, str]] = []
        for environment in known.values():
            if environment.image not in self._shown:
                self._shown[environment.image] = env_binds(environment)
            shown += self._shown[environment.image]
        plan: dict[str, Any] = {
            "binds": self.binds + (shown if len(known) == 1 else list(dict.fromkeys(shown))),
            "dev_dir": str(self.keeper / "dev"),
            "dev_nodes": self.dev_nodes,
            "proc_dir": str(self.keeper / "proc"),
            "userns": self.userns,
            "overlays": [[over.inside, str(over.upper), str(over.work), over.inside] for over in layout.overlays],
            "late_binds": layout.binds + [(node, node) for node in nodes],
        }
        if layout.shares:
            plan["shared"] = [[str(share.host), share.below, share.inside, share.read_only] for share in layout.shares]
        if layout.memory:
            plan["memory"] = layout.memory
        if self.overlay:
            plan.update(root=str(self.keeper / "root"), upper=str(layout.upper), work=str(layout.top / "work"))
        else:
            plan.update(root=str(layout.upper), links=self.links, dirs=private_root.PRIVATE_DIRS)
        return plan

    def _env(
        self,
        offer: LeaseOffer,
        own: Mapping[str, str],
        environment: HostEnvironment,
        layout: Layout,
        granted: Granted,
    ) -> dict[str, str]:
        """An allow-list: nothing of the agent's own environment but the time zone and language."""
        spec = offer.spec
        home = ("/root" if os.geteuid() == 0 else "/home") if layout.private else str(layout.top / "upper")
        env = {
            "PATH": environment.path,
            "HOME": home,
            "TMPDIR": "/tmp" if layout.private else str(layout.top / "upper"),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": str(max(1, spec.cpu_millis // 1000)),
            "FUBINI_TASK_ID": offer.task_id,
            "FUBINI_ATTEMPT_ID": offer.attempt_id,
            "FUBINI_FENCE": str(offer.fence),
            "FUBINI_RUN": spec.run,
            "FUBINI_CPU_MILLIS": str(spec.cpu_millis),
        }
        for name in _PASSED_ON:
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(environment.env)
        if granted:
            env["FUBINI_DEVICES"] = " ".join(f"{name}={','.join(map(str, indices))}" for name, indices in granted)
        if any(device.name == "nvidia.com/gpu" for device in self.devices.values()):
            given = dict(granted).get("nvidia.com/gpu", ())
            env["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, given))
        env.update(own)
        return env
