// The browser's half of a passkey: from the server's options to what the device answered, both as JSON.

import i18n from "i18next";
import { Problem } from "@/api/problem";

/** Can a passkey be used on this page? `origins` are the installation's own. */
export const passkeysWork = (origins: readonly string[] | undefined): boolean =>
  typeof PublicKeyCredential !== "undefined" && "parseCreationOptionsFromJSON" in PublicKeyCredential && (origins ?? []).includes(window.location.origin);

export async function passkeyCreate(options: unknown): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON);
  return answered(() => navigator.credentials.create({ publicKey }));
}

export async function passkeyGet(options: unknown): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON);
  return answered(() => navigator.credentials.get({ publicKey }));
}

async function answered(ask: () => Promise<Credential | null>): Promise<Record<string, unknown>> {
  try {
    const found = await ask();
    if (found !== null) return (found as PublicKeyCredential).toJSON() as unknown as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    if (error.name === "InvalidStateError") throw told("known");
  }
  throw told("cancelled");
}

/** In the shape of every other failure; its status is none a request could be tried again for. */
const told = (what: "known" | "cancelled") =>
  new Problem({ code: `passkey_${what}`, title: i18n.t(`passkeys:${what}`), next_step: i18n.t(`passkeys:${what}Next`) }, 400);
