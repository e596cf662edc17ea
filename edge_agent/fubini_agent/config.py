"""The agent's settings: the state folder, the identity a join gave, and the site file.

The state folder is 0700 and holds the credential (0600), the journal, the keeper's folder, the cache and the work
directories. The site file (TOML, written by the site's operator) can only narrow: what is offered, which image names run
in which environment of this host, whether steps may run beside Slurm.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fubini_agent.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SLURM_COMMANDS = ("sbatch", "srun", "squeue")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceSetting(_Strict):
    """An accelerator the operator declares. `nodes` are its device files, in index order."""

    name: str
    count: int = Field(ge=1)
    model: str = ""
    simulated: bool = False
    nodes: tuple[str, ...] = ()


class ImageSetting(_Strict):
    """What an image name means here: the environment at `prefix` (its ``bin`` comes first in PATH), or the host itself.

    `binds` are further host paths its programs need; `env` is set before the step's own variables.
    """

    prefix: str = ""
    host: bool = False
    env: dict[str, str] = Field(default_factory=dict)
    binds: tuple[str, ...] = ()


class OfferSetting(_Strict):
    """Caps on what is offered; None = what the machine has."""

    cpu_millis: Optional[int] = Field(default=None, ge=1)
    memory_bytes: Optional[int] = Field(default=None, ge=1)
    disk_bytes: Optional[int] = Field(default=None, ge=1)
    steps_max: Optional[int] = Field(default=None, ge=1)
    max_walltime_s: Optional[int] = Field(default=None, ge=1)
    labels: dict[str, str] = Field(default_factory=dict)
    accelerator: str = ""
    accelerator_simulated: bool = False
    devices: tuple[DeviceSetting, ...] = ()


class CacheSetting(_Strict):
    max_bytes: int = Field(default=20 * 1024**3, ge=0)
    #: Input artifacts up to this size are copied, so that a step may change them as in a container; larger ones are
    #: linked read-only.
    copy_max_bytes: int = Field(default=64 * 1024**2, ge=0)


class KeptSetting(_Strict):
    """How long a failed step's directory stays for people to look at, and how much all of them may take; 0 = none."""

    hours: float = Field(default=24.0, ge=0, le=24 * 90)
    max_bytes: int = Field(default=2 * 1024**3, ge=0)
    steps_max: int = Field(default=200, ge=0, le=10_000)


class MachineSetting(_Strict):
    """Slots that all agents of this machine share: `slots` files in `slots_dir`, one a core. 0 = not shared."""

    slots: int = Field(default=0, ge=0, le=4096)
    slots_dir: str = ""


class SharedDiskSetting(_Strict):
    """A folder of this host that steps may mount by a claim's name, as they find it on the other machines of the site."""

    path: str
    read_only: bool = False


class SiteFile(_Strict):
    """The whole site file; an unknown key is an error that names it."""

    allow_on_slurm_host: bool = False
    acts_as: str = "service"
    work_dir: str = ""  # "" = inside the state folder
    disks_dir: str = ""  # of runs' disks; "" = inside the state folder
    wait_s: float = Field(default=20.0, gt=0, le=60)
    offer: OfferSetting = Field(default_factory=OfferSetting)
    cache: CacheSetting = Field(default_factory=CacheSetting)
    kept: KeptSetting = Field(default_factory=KeptSetting)
    machine: MachineSetting = Field(default_factory=MachineSetting)
    images: dict[str, ImageSetting] = Field(default_factory=dict)
    shared_disks: dict[str, SharedDiskSetting] = Field(default_factory=dict)  # by the claim that means them

    def image(self, name: str) -> Optional[tuple[str, ImageSetting]]:
        """The entry an image name falls under: an exact key first, then the longest matching glob."""
        if name in self.images:
            return name, self.images[name]
        matching = [key for key in self.images if fnmatch.fnmatchcase(name, key)]
        if not matching:
            return None
        best = max(matching, key=lambda key: (len(key), key))
        return best, self.images[best]


def site_file_read(path: Path) -> SiteFile:
    """Read and check a site file.

    Raises:
        ConfigError: with every problem and its key.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"cannot read the site file {path}: {exc.strerror}") from exc
    try:
        return site_file_parse(raw.decode("utf-8"), str(path))
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text (byte {exc.start})") from exc


def site_file_parse(text: str, origin: str = "site file") -> SiteFile:
    """As `site_file_read`, from text."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{origin} is not valid TOML: {exc}") from exc
    try:
        site = SiteFile.model_validate(data)
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in error['loc']) or 'top level'}: {error['msg']}" for error in exc.errors()
        )
        raise ConfigError(f"{origin}: {problems}") from exc
    if bool(site.machine.slots) != bool(site.machine.slots_dir):
        raise ConfigError(f"{origin}: [machine] needs both slots and slots_dir, or neither")
    for name, disk in site.shared_disks.items():
        if not disk.path.startswith("/") or os.path.normpath(disk.path) in ("/", "//"):
            raise ConfigError(
                f"{origin}: shared_disks.{name}.path is {disk.path!r}; it must be an absolute folder below /"
            )
    for key, image in site.images.items():
        if bool(image.prefix) == image.host:
            raise ConfigError(f"{origin}: images.{key!r} needs exactly one of prefix = PATH and host = true")
    return site


@dataclass(frozen=True)
class Identity:
    """Who a join made us. The credential never appears in a repr, a log or an environment."""

    url: str
    agent_id: str
    agent_name: str
    site: str
    credential: str = field(repr=False)
    sync_path: str = "/agent/v1/sync"
    logs_path: str = "/agent/v1/logs"
    lease_s: float = 60.0
    renew_s: float = 20.0
    wait_max_s: float = 25.0


class StateFolder:
    """The agent's folder and the paths in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.identity_path = self.path / "agent.json"
        self.credential_path = self.path / "credential"
        self.journal_path = self.path / "journal.db"
        self.lock_path = self.path / "agent.lock"
        self.keeper = self.path / "keeper"
        self.cache = self.path / "cache"
        self.status_path = self.path / "status.json"
        self.site_path = self.path / "site.toml"

    def make(self) -> None:
        """Create it with its modes, or check an existing one.

        Raises:
            ConfigError: it belongs to somebody else, or others may read it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        stat = self.path.stat()
        if stat.st_uid != os.geteuid():
            raise ConfigError(f"{self.path} belongs to user id {stat.st_uid}, not to {os.geteuid()}: use another --dir")
        if stat.st_mode & 0o077:
            self.path.chmod(0o700)
        for folder in (self.keeper, self.cache):
            folder.mkdir(mode=0o700, exist_ok=True)

    def identity_write(self, identity: Identity) -> None:
        data = {key: value for key, value in identity.__dict__.items() if key != "credential"}
        write_private(self.credential_path, identity.credential.encode())
        write_private(self.identity_path, json.dumps(data, indent=2).encode() + b"\n")

    def identity_read(self) -> Identity:
        """
        Raises:
            ConfigError: this folder never joined.
        """
        try:
            data = json.loads(self.identity_path.read_bytes())
            credential = self.credential_path.read_text().strip()
        except FileNotFoundError as exc:
            raise ConfigError(
                f"{self.path} holds no agent: run `fubini-agent join --url URL --token-file FILE --dir {self.path}` first"
            ) from exc
        except (OSError, ValueError) as exc:
            raise ConfigError(f"{self.identity_path} cannot be read: {exc}") from exc
        known = {name: data[name] for name in Identity.__dataclass_fields__ if name in data}
        return Identity(credential=credential, **known)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically, mode 0600, durable."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def slurm_commands_found() -> list[str]:
    """Slurm's own commands on this host's PATH: such a machine is shared through its batch system."""
    return [found for found in (shutil.which(name) for name in SLURM_COMMANDS) if found]
