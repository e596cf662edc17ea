// The server's problem+json as one type, and every other way a request fails in the same shape.

export interface ProblemEntry {
  path?: string;
  pointer?: string;
  line?: number;
  code?: string;
  detail?: string;
  found?: unknown;
  allowed?: unknown;
  next_step?: string;
  nearest?: string;
}

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly nextStep: string;
  readonly errors: ProblemEntry[];
  readonly requestId: string;
  readonly retryAfterS: number | null;

  constructor(body: Record<string, unknown>, status: number, retryAfterS: number | null = null) {
    const text = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : "");
    super(text("title") || text("detail") || `HTTP ${status}`);
    this.status = status;
    this.code = text("code");
    this.detail = text("detail");
    this.nextStep = text("next_step");
    this.errors = Array.isArray(body.errors) ? (body.errors as ProblemEntry[]) : [];
    this.requestId = text("request_id");
    this.retryAfterS = retryAfterS;
  }

  static offline(): Problem {
    return new Problem({ code: "offline", title: "offline" }, 0);
  }

  static from(body: unknown, response: Response): Problem {
    const after = Number(response.headers.get("Retry-After"));
    const fields = body !== null && typeof body === "object" ? (body as Record<string, unknown>) : {};
    return new Problem(fields, response.status, Number.isFinite(after) && after > 0 ? after : null);
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) return Problem.offline(); // what fetch throws when nobody answers
  return new Problem({ code: "unexpected", title: String(error) }, 0);
}

/** May the same request be sent again without a person's doing? */
export function isTransient(error: unknown): boolean {
  const { status } = asProblem(error);
  return status === 0 || status === 429 || status === 502 || status === 503 || status === 504;
}
