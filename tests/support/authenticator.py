"""A passkey in software: answers WebAuthn's questions as a device and a browser would, or as a liar would."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

FLAG = AuthenticatorData.FLAG


@dataclass
class Device:
    """One device with one passkey. `verifies`: it asks for a PIN or a finger and says so."""

    origin: str = "http://localhost:8642"
    verifies: bool = True
    counter: int = 0
    counts: bool = False
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(16))
    user_handle: bytes = b""
    domain: str = ""

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to a registration's options, as `toJSON()` gives it."""
        self.user_handle = websafe_decode(options["user"]["id"])
        self.domain = self.domain or options["rp"]["id"]
        public = ES256.from_cryptography_key(self.key.public_key())
        attested = AttestedCredentialData.create(bytes(16), self.credential_id, public)
        data = AuthenticatorData.create(self._domain_hash(), self._flags() | FLAG.AT, self.counter, attested)
        response = {
            "clientDataJSON": websafe_encode(self._client(CollectedClientData.TYPE.CREATE, options)),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        }
        return self._credential(response, {"credProps": {"rk": True}})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to a sign-in's options."""
        self.counter += int(self.counts)
        data = AuthenticatorData.create(self._domain_hash(), self._flags(), self.counter)
        client = self._client(CollectedClientData.TYPE.GET, options)
        signature = self.key.sign(data + client.hash, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": websafe_encode(self.user_handle),
        }
        return self._credential(response, {})

    def _flags(self) -> FLAG:
        return FLAG.UP | FLAG.UV if self.verifies else FLAG.UP

    def _domain_hash(self) -> bytes:
        return hashlib.sha256(self.domain.encode()).digest()

    def _client(self, kind: Any, options: dict[str, Any]) -> CollectedClientData:
        return CollectedClientData.create(kind, websafe_decode(options["challenge"]), self.origin)

    def _credential(self, response: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
        name = websafe_encode(self.credential_id)
        return {
            "id": name, "rawId": name, "type": "public-key", "response": response,
            "clientExtensionResults": extensions, "authenticatorAttachment": "platform",
        }  # fmt: skip
