// An edit that was not sent yet, kept in this browser until it is: a reload or an ended session loses nothing.

export interface Draft {
  pipeline: string;
  manifest: string;
  parameters: Record<string, string>;
  name: string;
  objective: string;
  priority: string;
  maxCost: string;
  /** The pipeline whose text is being edited: the name a save suggests. */
  edits: string;
  reuse: string; // "" nothing, "any", or the id of the run that is launched again
}

/** As `pipeline`: a manifest of one's own, which is in `manifest`. */
export const OWN = "";

export const EMPTY: Draft = { pipeline: "", manifest: "", parameters: {}, name: "", objective: "", priority: "normal", maxCost: "", edits: "", reuse: "" };

const key = (project: string) => `fubini.draft.${project}`;

export function loadDraft(project: string, storage: Pick<Storage, "getItem"> = sessionStorage): Draft | null {
  try {
    const found: unknown = JSON.parse(storage.getItem(key(project)) ?? "null");
    return found !== null && typeof found === "object" ? { ...EMPTY, ...(found as Partial<Draft>) } : null;
  } catch {
    return null;
  }
}

export function saveDraft(project: string, draft: Draft): void {
  try {
    sessionStorage.setItem(key(project), JSON.stringify(draft));
  } catch {
    // A full storage loses only the safety net, not what is on the page.
  }
}

export function dropDraft(project: string): void {
  sessionStorage.removeItem(key(project));
}

/**
 * The name of a run that is launched again: a new one, made from the manifest, unless results are taken over. A step that
 * reads the run's name is the same step only under the same name. What the reader wrote themselves stays.
 */
export function nameFor(reuse: string, written: string, old: string): { name?: string } {
  if (old === "") return {};
  if (reuse !== "") return written === "" ? { name: old } : {};
  return written === old || written === "" ? { name: "" } : {};
}
