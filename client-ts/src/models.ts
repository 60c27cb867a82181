// What is sent and what comes back: the server's own documents, and a decision read from one.

import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
type Body<Path extends keyof paths> = paths[Path] extends {
  post: { requestBody?: { content: { "application/json": infer Sent } } };
}
  ? Sent
  : never;

export type Json = Record<string, unknown>;
export type Interrupt = Schemas["Interrupt"];
export type ActionRequest = Schemas["ActionRequest"];
export type Item = Interrupt | ActionRequest;
export type Event = Schemas["Event"];
export type Problem = Schemas["Problem"];
export type Revealed = Schemas["Revealed"];
export type PolicyAnswer = Pick<
  Schemas["Evaluation"],
  "decision" | "policy" | "note" | "approval_message" | "grant"
>;

export interface Waiting {
  /** Seconds; without it, for ever. */
  timeout?: number;
  /** Stops waiting and throws the reason; the item stays as it is. */
  signal?: AbortSignal;
}

/** What the client makes of a question; everything else of the options is sent as it is. */
export interface Asking {
  /** Names the question instead of the derived key. */
  key?: string;
  /**
   * "wait" stays until it is decided, or throws `WaitTimeout` after `waitTimeout` seconds. "raise" throws
   * `InterruptSignal` while it is undecided and finds the decision when the run is run again.
   */
  mode?: "wait" | "raise";
  /** Seconds. */
  waitTimeout?: number;
  /** Stops waiting and throws the reason; the question stays open. */
  signal?: AbortSignal;
}

export type AskOptions = Asking & Omit<Body<"/api/v1/interrupts">, "type" | "reason">;

/** As of a question, and the mode "ask": it returns the request as it stands, open or fulfilled. */
export type RequestOptions = Omit<Asking, "mode"> & { mode?: Asking["mode"] | "ask" } & Body<"/api/v1/requests">;

/** How a question was settled: the interrupt, and what to do now. */
export type Decision = Interrupt & {
  approved: boolean;
  /** The arguments to run with: an edit replaces what was asked for, whole. */
  arguments: Json;
  /** The server's signature (JWS) under an approval that was waited for. */
  receipt: string | null;
};

/** What a reviewer said: one of the outcomes offered, a comment, and the whole response. */
export interface Feedback {
  status: Interrupt["status"];
  outcome: string | null;
  comment: string | null;
  response: unknown;
}

/** Secret answers. They come out one by one: printing shows their names, writing them as JSON throws. */
export class Secrets {
  readonly fields: readonly string[];
  /** ISO 8601, UTC. */
  readonly leaseExpiresAt: string;
  readonly #values: Map<string, string>;

  constructor({ values, lease_expires_at }: Revealed) {
    this.#values = new Map(Object.entries(values));
    this.fields = [...this.#values.keys()];
    this.leaseExpiresAt = lease_expires_at;
  }

  get(field: string): string {
    const value = this.#values.get(field);
    if (value === undefined) throw new RangeError(`${field} is not among ${this.fields.join(", ")}`);
    return value;
  }

  toJSON(): never {
    throw new TypeError("secret answers are not to be written anywhere");
  }
}

export function decisionOf(interrupt: Interrupt & { receipt?: string | null }): Decision {
  return {
    ...interrupt,
    approved: interrupt.status === "approved",
    arguments: interrupt.modifications ?? interrupt.tool_args,
    receipt: interrupt.receipt ?? null,
  };
}

/** Read a response of either form: plain words, or {outcome, comment}. */
export function feedbackOf({ status, response, rejection_reason }: Decision): Feedback {
  const parts = (typeof response === "string" ? { comment: response } : response) as Partial<Feedback> | null;
  return { status, outcome: parts?.outcome ?? null, comment: parts?.comment || rejection_reason, response };
}
