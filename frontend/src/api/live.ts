// Live data: one event stream a browser. The tab that holds the lock reads it and hands each event to the others.
//
// What changed is told by topic and run; pages keep no state of their own from it, they only ask again for what they
// show. The browser resumes a dropped stream from its last number, and so does the tab that takes over when the reading
// one is closed, so nothing is missed.

export interface LiveEvent {
  seq: number;
  topic: string;
  kind: string;
  project_id: string;
  run_id: string | null;
  entity_id: string;
  to_state: string;
}

export type Connection = "live" | "reconnecting";
type Told = { event: LiveEvent } | { connection: Connection } | { gap: true };

/** Follows a project's events until stopped; `tell` hears them in every tab. */
export function follow(project: string, tell: (told: Told) => void): () => void {
  const channel = new BroadcastChannel(`fubini.events.${project}`);
  let last = "";
  channel.onmessage = (message: MessageEvent<Told>) => {
    if ("event" in message.data) last = String(message.data.event.seq);
    tell(message.data);
  };
  const share = (told: Told) => {
    tell(told);
    channel.postMessage(told);
  };
  const stop = new AbortController();
  let source: EventSource | null = null;
  const read = () =>
    new Promise<void>((done) => {
      stop.signal.addEventListener("abort", () => {
        source?.close();
        done();
      });
      const open = () => {
        if (stop.signal.aborted) return;
        const after = last === "" ? "" : `&cursor=${last}`;
        source = new EventSource(`/api/v1/events?project=${encodeURIComponent(project)}${after}`);
        source.onopen = () => share({ connection: "live" });
        source.onmessage = (message: MessageEvent<string>) => {
          last = message.lastEventId;
          share({ event: JSON.parse(message.data) as LiveEvent });
        };
        source.addEventListener("cursor", (message) => {
          last = (message as MessageEvent).lastEventId;
        });
        source.addEventListener("gap", () => share({ gap: true }));
        source.addEventListener("end", () => {
          source?.close();
          done();
        });
        source.onerror = () => {
          share({ connection: "reconnecting" });
          // A browser gives up on an answer that is no stream (a proxy's error page, a restart): then we try again.
          if (source?.readyState === EventSource.CLOSED) setTimeout(open, 2000);
        };
      };
      open();
    });
  const locks = (navigator as Navigator & { locks?: LockManager }).locks;
  if (locks) locks.request(`fubini.events.${project}`, { signal: stop.signal }, read).catch(() => undefined);
  else void read(); // no locks without a secure context: each tab reads for itself
  return () => {
    stop.abort();
    channel.close();
  };
}
