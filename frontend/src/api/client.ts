// The one way to the server: typed by its own schema, with the CSRF token, problems thrown, and an ended session told.

import createClient, { type Middleware } from "openapi-fetch";
import { currencyFrom } from "@/lib/format";
import { Problem } from "./problem";
import type { components, paths } from "./generated/schema";

export type Schemas = components["schemas"];

const SESSION_ENDED = "fubini:session-ended";

export function csrfToken(): string {
  const found = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
  return found?.[1] ?? "";
}

/** Calls `tell` when the server no longer knows the session. Returns how to stop listening. */
export function onSessionEnded(tell: () => void): () => void {
  window.addEventListener(SESSION_ENDED, tell);
  return () => window.removeEventListener(SESSION_ENDED, tell);
}

function sessionEnded(): void {
  window.dispatchEvent(new Event(SESSION_ENDED));
}

/** What asks the server to answer in the reader's language. */
export function inOwnLanguage(): { "Accept-Language": string } {
  return { "Accept-Language": document.documentElement.lang || "en" };
}

const middleware: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(inOwnLanguage())) request.headers.set(name, value);
    if (request.method !== "GET" && request.method !== "HEAD") request.headers.set("X-CSRFToken", csrfToken());
    return request;
  },
  async onResponse({ response, request }) {
    currencyFrom(response.headers.get("X-Fubini-Currency"));
    if (response.ok) return response;
    const body: unknown = await response.clone().json().catch(() => null);
    const problem = Problem.from(body, response);
    if (problem.status === 401 && !/\/api\/v1\/(me|login.*)$/.test(request.url)) sessionEnded();
    throw problem;
  },
};

export const api = createClient<paths>({ baseUrl: "/", credentials: "same-origin" });
api.use(middleware);

/** The body of an answer; a problem was thrown before. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}

/** One key a deed, so that a click repeated by a bad line is done once. */
export function idempotencyKey(): string {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}
