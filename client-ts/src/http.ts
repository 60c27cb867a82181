// Send a call until it is answered, over restarts of the server and broken connections.

import { HITLError, ProblemError, Unavailable, UnexpectedAnswer, parsed } from "./errors.js";
import { canonical } from "./keys.js";

const LONGEST_BACKOFF = 10;
const BUSY = new Set([429, 502, 503, 504]);
const REQUEST_SECONDS = 30;
const LONGEST_TIMER = 2 ** 31 - 1;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A request that does no harm twice. The server may hold its answer for `held` seconds. */
export interface Call {
  method: "GET" | "POST";
  path: string;
  query?: Record<string, string | number | null | undefined>;
  body?: object;
  key?: string | undefined;
  held?: number;
  seconds?: number;
}

export class Http {
  constructor(
    readonly baseUrl: string,
    private readonly apiKey: string,
    private readonly fetch: Fetch,
    readonly retryFor: number,
    readonly warn: (message: string) => void,
  ) {}

  /**
   * Send what `compose` makes anew for each attempt and return the JSON of the answer.
   *
   * Outages of up to `patience` seconds are ridden out. Throws ProblemError for a refusal, Unavailable,
   * UnexpectedAnswer, and the reason of the signal.
   */
  async exchange<T>(compose: () => Call, patience = this.retryFor, signal?: AbortSignal): Promise<T> {
    const deadline = now() + patience;
    for (let longest = 0.25; ; longest = Math.min(2 * longest, LONGEST_BACKOFF)) {
      signal?.throwIfAborted();
      const call = compose();
      const [url, init] = this.request(call);
      let trouble: unknown;
      let askedFor = 0;
      try {
        const [response, text] = await this.attempt(url, init, call, signal);
        if (!BUSY.has(response.status)) return read<T>(url, response, text);
        trouble = ProblemError.of(response.status, text);
        askedFor = retryAfter(response.headers.get("retry-after"));
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof HITLError) throw error;
        trouble = error;
      }
      const left = deadline - now();
      if (left <= 0 || askedFor > left) {
        if (trouble instanceof ProblemError && trouble.status === 429) throw trouble;
        throw new Unavailable(`no answer from the server: ${said(trouble)}`, { cause: trouble });
      }
      const delay = Math.max(askedFor, Math.min(longest * (0.5 + Math.random() / 2), left));
      this.warn(`No answer from the server (${said(trouble)}); asking again in ${delay.toFixed(1)} s`);
      await pause(delay, signal);
    }
  }

  private request(call: Call): [url: string, init: RequestInit] {
    const url = new URL(`${this.baseUrl}/api/v1/${call.path}`);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    const headers = new Headers({ Accept: "application/json" });
    if (this.apiKey) headers.set("Authorization", `Bearer ${this.apiKey}`);
    if (call.key) headers.set("Idempotency-Key", call.key);
    if (call.body) headers.set("Content-Type", "application/json");
    const body = call.body ? canonical(call.body) : null;
    // A redirection is an answer like any other: nothing that another host says is an approval.
    return [url.href, { method: call.method, headers, body, redirect: "manual", cache: "no-store" }];
  }

  private async attempt(
    url: string,
    init: RequestInit,
    { held = 0, seconds = REQUEST_SECONDS }: Call,
    signal: AbortSignal | undefined,
  ): Promise<[Response, string]> {
    const stop = new AbortController();
    const passOn = () => stop.abort(signal?.reason);
    const late = () => stop.abort(new Error(`nothing for ${held + seconds} seconds`));
    const timer = setTimeout(late, 1000 * (held + seconds));
    signal?.addEventListener("abort", passOn, { once: true });
    try {
      const { fetch } = this; // a browser's refuses to be the method of another object
      const response = await fetch(url, { ...init, signal: stop.signal });
      return [response, await response.text()];
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", passOn);
    }
  }
}

/** Seconds of a clock that only goes forward. */
export const now = (): number => performance.now() / 1000;

/** Let seconds pass. Throws the reason of the signal. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, Math.min(1000 * seconds, LONGEST_TIMER));
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function read<T>(url: string, response: Response, text: string): T {
  if (!response.ok) throw ProblemError.of(response.status, text);
  const answer = parsed(text);
  if (typeof answer === "object" && answer !== null) return answer as T;
  throw new UnexpectedAnswer(`${url} answered ${JSON.stringify(text.slice(0, 80))}, which is no JSON`);
}

/** Read Retry-After, seconds or a date, as seconds from now; 0 if there is none. */
function retryAfter(value: string | null): number {
  if (!value) return 0;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Math.max(0, seconds || 0);
}

/** `fetch` hides what happened in the cause of its error. */
function said(trouble: unknown): string {
  const cause = trouble instanceof Error && trouble.cause;
  return cause instanceof Error ? cause.message || cause.name : String(trouble);
}
