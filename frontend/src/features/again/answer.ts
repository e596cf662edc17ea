// What a suspended node asks a person for. Pure.

export interface Question {
  name: string;
  value: string;
  choices: string[];
  help: string;
}

interface Parameter {
  name: string;
  value?: string;
  default?: string;
  enum?: unknown[];
  description?: string;
  valueFrom?: { supplied?: unknown; default?: string } | null;
}

const listed = (side: unknown): Parameter[] => {
  const found = (side as { parameters?: unknown } | null)?.parameters;
  return Array.isArray(found) ? (found as Parameter[]) : [];
};

/** The outputs a person supplies; an input of the same name says what they mean and may be. */
export function questionsOf(inputs: unknown, outputs: unknown): Question[] {
  const given = new Map(listed(inputs).map((p) => [p.name, p]));
  return listed(outputs)
    .filter((p) => p.valueFrom && "supplied" in p.valueFrom)
    .map((p) => {
      const about = given.get(p.name);
      const value = p.value ?? p.valueFrom?.default ?? p.default ?? about?.value ?? about?.default ?? "";
      return { name: p.name, value, choices: (about?.enum ?? p.enum ?? []).map(String), help: about?.description ?? p.description ?? "" };
    });
}

interface Signal {
  kind: string;
  actor: string;
  at_ms: number;
  payload?: unknown;
}

/** The signals that answered a node: by its id, its name, or the whole run's resume. */
export function answersTo<S extends Signal>(signals: S[], node: { id: string; name: string }): S[] {
  return signals.filter((signal) => {
    if (!["resume", "set", "stop"].includes(signal.kind)) return false;
    const selector = (signal.payload as { selector?: string } | null)?.selector ?? "";
    if (selector === "") return signal.kind === "resume";
    return selector.split(",").some((part) => part.trim() === `id=${node.id}` || part.trim() === `displayName=${node.name}`);
  });
}
