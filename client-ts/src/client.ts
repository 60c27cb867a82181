import { Calls, pathOf, type Run } from "./calls.js";
import { SecretsLeased, settled, unrefused } from "./errors.js";
import { gated, type GateOptions } from "./gate.js";
import { Http, now, pause, type Call, type Fetch } from "./http.js";
import { Secrets, decisionOf, feedbackOf } from "./models.js";
import type { ActionRequest, AskOptions, Decision, Event, Feedback, Interrupt, Item, Json } from "./models.js";
import type { PolicyAnswer, RequestOptions, Revealed, Waiting } from "./models.js";

const HOLD_SECONDS = 30;
const LOOK_AGAIN_SECONDS = 5;

export interface Options {
  /** Default: HITL_URL of the environment, then http://127.0.0.1:8000. */
  baseUrl?: string;
  /** Default: HITL_API_KEY of the environment. */
  apiKey?: string;
  /** For proxies, certificates and tests. */
  fetch?: Fetch;
  /** Seconds for which an outage is ridden out, 60; while a person is waited for, as long as the wait lasts. */
  retryFor?: number;
  /** Is told of retries and of outcomes that could not be reported. Default: console.warn. */
  warn?: (message: string) => void;
}

export interface EventOptions {
  /** The cursor of the last event that was seen; without one, from the beginning. */
  after?: string | undefined;
  types?: string[];
  /** Go on for ever (default), or end when caught up. */
  follow?: boolean;
  signal?: AbortSignal;
}

interface EventPage {
  results: Event[];
  cursor: string;
}

/**
 * Ask people. Every call throws ProblemError where the server refuses and Unavailable where it is away for
 * longer than `retryFor` seconds.
 */
export class HITL {
  readonly #calls: Calls;

  constructor(options: Options | Calls = {}) {
    this.#calls = options instanceof Calls ? options : callsOf(options);
  }

  /** Where the server is; operators decide at `/admin/` there. */
  get baseUrl(): string {
    return this.#calls.http.baseUrl;
  }

  /**
   * Return a client whose questions belong to a run, their ordinals beginning at 0.
   *
   * Give each piece of work its own id. With an id used before, it finds the decisions of the run before
   * instead of asking again.
   */
  session(run: Run): HITL {
    if (!run.session_id && !run.run_id) throw new TypeError("a run that is to be found again needs an id");
    return new HITL(new Calls(this.#calls.http, this.#calls.apiKey, run));
  }

  /** Ask for permission; the approved decision's `arguments` are the ones to run with. */
  async requireApproval(reason: string, options: AskOptions = {}): Promise<Decision> {
    return settled(await this.#ask("approval", reason, options));
  }

  /** Ask yes or no: true if approved, false if rejected. */
  async requireConfirmation(reason: string, options: AskOptions = {}): Promise<boolean> {
    const decision = await this.#ask("confirmation", reason, options);
    return decision.status !== "rejected" && settled(decision).approved;
  }

  /** Ask for a value, any JSON that `response_schema` (JSON Schema) allows, and return it. */
  async requireInput<T = unknown>(reason: string, options: AskOptions = {}): Promise<T> {
    return settled(await this.#ask("input", reason, options)).response as T;
  }

  /** Ask what a person thinks: one of `outcomes` if given, and a comment. A rejection is feedback too. */
  async requireFeedback(subject: string, options: AskOptions & { outcomes?: string[] } = {}): Promise<Feedback> {
    const { outcomes = [], ...others } = options;
    const response_schema = {
      type: "object",
      properties: { outcome: { enum: outcomes }, comment: { type: "string" } },
      required: ["outcome"],
      additionalProperties: false,
    };
    const asked = outcomes.length ? { response_schema, ...others } : others;
    const decision = await this.#ask("feedback", subject, asked);
    return feedbackOf(decision.status === "rejected" ? decision : settled(decision));
  }

  /** Ask a person to do something; the fulfilled request's `response_data` holds what they filled in. */
  async requestAction(options: RequestOptions): Promise<ActionRequest> {
    return unrefused((await this.#calls.put("requests", {}, options)) as ActionRequest);
  }

  /** Return an interrupt or request with its history, whatever became of it. */
  get<T extends Item = Item>(id: string): Promise<T> {
    return this.#calls.get(id);
  }

  /** Return the interrupt that was created with this key, if any. */
  find(key: string): Promise<Interrupt | null> {
    return this.#calls.keyed("interrupts", key);
  }

  /** Withdraw an interrupt or request; 409 if it has been decided. */
  cancel(id: string, reason?: string): Promise<Item> {
    return this.#calls.once(id, "cancel", { reason }, "cancelled");
  }

  /**
   * Wait until it is decided; null if it still is not after `timeout` seconds.
   *
   * An outage of the server is waited out as if nobody had decided yet.
   */
  async wait(interruptId: string, options?: Waiting): Promise<Decision | null> {
    const found = await this.#calls.outcome(interruptId, options);
    return found && decisionOf(found as Interrupt);
  }

  /** Wait until a request is fulfilled; null if it is not after `timeout` seconds. Throws as asking does. */
  async waitRequest(requestId: string, options?: Waiting): Promise<ActionRequest | null> {
    const found = await this.#calls.outcome(requestId, options);
    return found && unrefused(found as ActionRequest);
  }

  /**
   * Yield this agent's events, oldest first, and then each new one as it happens.
   *
   * Keep the last event's `cursor` and pass it as `after` to miss nothing. Throws StreamReset when the cursor
   * is of another life of the server.
   */
  async *events({ after, types, follow = true, signal }: EventOptions = {}): AsyncGenerator<Event, void> {
    const held = follow ? HOLD_SECONDS : 0;
    const patience = follow ? Infinity : this.#calls.http.retryFor;
    for (;;) {
      const began = now();
      const query = { after, types: types?.join(",") || null, wait: held || null };
      const look = (): Call => ({ method: "GET", path: "events", query, held });
      const page = await this.#calls.http.exchange<EventPage>(look, patience, signal);
      yield* page.results;
      after = page.cursor;
      if (page.results.length) continue;
      if (!follow) return;
      if (now() - began < 1) await pause(1, signal); // something on the way does not let answers be held
    }
  }

  /**
   * Put the server's policies, and a person where they say so, before a function of one object of JSON.
   *
   * It runs with a copy of what was approved; what a person answered in its place is returned instead. Throws
   * Denied where a policy forbids it, else what `requireApproval` throws.
   */
  gate<A extends object, R, Rest extends unknown[]>(
    fn: (args: A, ...rest: Rest) => R | Promise<R>,
    options: GateOptions<A> = {},
  ): (args: A, ...rest: Rest) => Promise<R> {
    return gated(this.#calls, fn, options);
  }

  /** Ask the policies about a call, without making it. */
  evaluate(tool_name: string, tool_args: Json = {}): Promise<PolicyAnswer> {
    return this.#calls.evaluate({ tool_name, tool_args });
  }

  /**
   * Spend an approval on exactly these arguments, before the call is made.
   *
   * Throws ApprovalSpent (do not run it), ArgumentsChanged for others than were approved.
   */
  consume(interruptId: string, tool_args: Json, receipt?: string | null): Promise<Interrupt> {
    return this.#calls.consume(interruptId, tool_args, receipt);
  }

  /** Tell what came of an approved call, for the record; `result` is any JSON. */
  report(interruptId: string, status: "succeeded" | "failed", result?: unknown): Promise<Item> {
    return this.#calls.once(interruptId, "outcome", { status, result }, "reported");
  }

  /**
   * Return the secret answers, under a lease: `ack` before it ends, or they can be had once more.
   *
   * Throws SecretsLeased when another call has them, after `timeout` seconds if given, and SecretsGone when
   * they are destroyed.
   */
  async reveal(requestId: string, { timeout = 0, signal }: Waiting = {}): Promise<Secrets> {
    const deadline = now() + timeout;
    const call: Call = { method: "POST", path: pathOf(requestId, "reveal"), body: {} };
    for (;;) {
      try {
        return new Secrets(await this.#calls.send<Revealed>(call, signal));
      } catch (error) {
        const left = deadline - now();
        if (!(error instanceof SecretsLeased) || left <= 0) throw error;
        await pause(Math.min(LOOK_AGAIN_SECONDS, left), signal);
      }
    }
  }

  /** Have the secret answers destroyed: they have arrived. */
  ack(requestId: string): Promise<Item> {
    return this.#calls.once(requestId, "ack", {}, "acknowledged");
  }

  async #ask(type: Interrupt["type"], reason: string, options: AskOptions): Promise<Decision> {
    return decisionOf((await this.#calls.put("interrupts", { type, reason }, options)) as Interrupt);
  }
}

function callsOf(options: Options): Calls {
  const env: Record<string, string | undefined> = globalThis.process?.env ?? {}; // there is none in a browser
  const url = new URL(options.baseUrl || env["HITL_URL"] || "http://127.0.0.1:8000");
  const apiKey = (options.apiKey || env["HITL_API_KEY"] || "").trim();
  if (!apiKey && !options.fetch) throw new TypeError("an API key is needed: pass apiKey or set HITL_API_KEY");
  const { fetch = globalThis.fetch, retryFor = 60, warn = console.warn } = options;
  return new Calls(new Http(url.href.replace(/\/+$/, ""), apiKey, fetch, retryFor, warn), apiKey);
}
