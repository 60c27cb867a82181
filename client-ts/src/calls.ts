// How an agent's calls become requests, and a question finds its decision.

import { ArgumentsChanged, InterruptSignal, ProblemError, Unavailable, WaitTimeout } from "./errors.js";
import { Http, now, pause, type Call } from "./http.js";
import { Ordinals, canonical, copied, frozen, randomKey, replayKey, sha256, type Scope } from "./keys.js";
import type { Asking, Interrupt, Item, Json, PolicyAnswer, Waiting } from "./models.js";

const HOLD_SECONDS = 30;
const POLICY_SECONDS = 5;
const OPEN = new Set(["pending", "in_review"]);

type Kind = "interrupts" | "requests";
type Mode = "wait" | "raise" | "ask";
type Options = Omit<Asking, "mode"> & { mode?: Mode };

/** What a re-run names again to find its decisions. */
export interface Run {
  session_id?: string;
  run_id?: string;
}

/** An item as it is to be sent. `key` finds it again; undefined where no later call could. */
export interface Question {
  kind: Kind;
  body: Json;
  scope: Scope;
  mode: Mode;
  waiting: Waiting;
  key: string | undefined;
}

export class Calls {
  readonly #ordinals = new Ordinals();
  readonly #ownScope: Scope = ["client", randomKey()];

  constructor(
    readonly http: Http,
    readonly apiKey: string,
    readonly run: Run = {},
  ) {}

  send<T>(call: Call, signal?: AbortSignal): Promise<T> {
    return this.http.exchange(() => call, this.http.retryFor, signal);
  }

  get<T extends Item>(id: string): Promise<T> {
    return this.send({ method: "GET", path: pathOf(id) });
  }

  async keyed<T extends Item>(kind: Kind, key: string): Promise<T | null> {
    const page = await this.send<{ results: T[] }>({ method: "GET", path: kind, query: { key, limit: 1 } });
    return page.results[0] ?? null;
  }

  /** Do what may be done once; done already is no mistake: the first answer may have been lost. */
  async once(id: string, verb: string, body: Json, done: string): Promise<Item> {
    try {
      return await this.send({ method: "POST", path: pathOf(id, verb), body: given(body) });
    } catch (refusal) {
      if (refusal instanceof ProblemError && refusal.code === done && refusal.current) return refusal.current;
      throw refusal;
    }
  }

  async consume(id: string, tool_args: Json, receipt?: string | null): Promise<Interrupt> {
    // A name for this attempt makes sending it again harmless, should its answer be lost.
    const body = given({ tool_args, receipt, attempt: randomKey() });
    const call: Call = { method: "POST", path: pathOf(id, "consume"), body };
    try {
      return await this.send(call);
    } catch (refusal) {
      if (!(refusal instanceof ProblemError && refusal.status === 412)) throw refusal;
      throw new ArgumentsChanged(null, refusal.current, `what ${id} approved are other arguments`);
    }
  }

  evaluate(asked: Json, patience = this.http.retryFor): Promise<PolicyAnswer> {
    const body = frozen(given({ session_id: this.run.session_id, ...asked }));
    const call: Call = { method: "POST", path: "policies/evaluate", body, seconds: POLICY_SECONDS };
    return this.http.exchange(() => call, patience);
  }

  /** Create an item or find the one of an earlier run; return it settled, or open in mode "ask". */
  async put(kind: Kind, asked: Json, options: Options): Promise<Item> {
    return this.pursue(await this.compose(kind, asked, options));
  }

  /**
   * Make out what is to be sent, in this run, and the key that finds it again.
   *
   * `hidden` holds arguments that nobody is shown. They count in the key, but keyed by the API key, so that
   * they cannot be guessed from it.
   */
  async compose(kind: Kind, asked: Json, options: Options, hidden?: Json): Promise<Question> {
    const { key, mode = "wait", waitTimeout: timeout, signal, ...fields } = options;
    const modes = kind === "requests" ? ["wait", "raise", "ask"] : ["wait", "raise"];
    if (!modes.includes(mode)) throw new TypeError(`mode is one of ${modes.join(", ")}; not ${mode}`);
    const body = frozen(given({ ...this.run, ...fields, ...asked }));
    const ids = ["run_id", "session_id", "workflow_id"].filter((name) => body[name]);
    const scope: Scope = ids[0] ? [ids[0].replace("_id", ""), String(body[ids[0]])] : this.#ownScope;
    if (mode === "raise" && !ids.length && !key) {
      this.http.warn("Asked without session_id, run_id or key: another process will not find the answer");
    }
    const question = { kind, body, scope, mode, waiting: given({ timeout, signal }), key };
    const call = body["call_id"] as string | undefined;
    if (key || (mode === "wait" && !call) || (mode !== "raise" && !ids.length)) return question;
    const subject = SUBJECTS[kind](body);
    if (hidden) subject.push(await sha256(canonical(hidden), this.apiKey));
    // Asking how something stands is not asking for another one, so equal calls are not counted then.
    const ordinal = call || (mode === "ask" ? 0 : this.#ordinals.take(scope, subject));
    return { ...question, key: await replayKey(scope, ordinal, subject) };
  }

  /** Create the item or find the one of an earlier run, and stay with it as its mode says. */
  async pursue(question: Question): Promise<Item> {
    const { mode, waiting, scope } = question;
    const item = await this.#create(question);
    if (!OPEN.has(item.status) || mode === "ask") return item;
    if (mode === "wait" || waiting.timeout) {
      const outcome = await this.outcome(item.id, waiting);
      if (outcome) return outcome;
    }
    if (mode === "wait") throw new WaitTimeout(item);
    this.#ordinals.restart(scope);
    throw new InterruptSignal(item);
  }

  async #create({ kind, body, key = randomKey(), waiting }: Question): Promise<Item> {
    try {
      return await this.send<Item>({ method: "POST", path: kind, body, key }, waiting.signal);
    } catch (refusal) {
      if (!(refusal instanceof ProblemError && refusal.status === 422)) throw refusal;
      const earlier = await this.keyed<Item>(kind, key);
      if (!earlier) throw refusal;
      // A re-run may word its question otherwise; what counts is what the decision was about.
      const [then, today] = [earlier as Json, body].map((it) => canonical(copied(SUBJECTS[kind](it))));
      if (then !== today) throw new ArgumentsChanged(key, earlier);
      return earlier;
    }
  }

  /** Wait until an item is settled; null if it still is not after `timeout` seconds. */
  async outcome(id: string, { timeout = Infinity, signal }: Waiting = {}): Promise<Item | null> {
    const deadline = now() + timeout;
    const left = () => Math.max(0, deadline - now());
    const look = (): Call => {
      const held = Math.floor(Math.min(HOLD_SECONDS, left()));
      if (held) return { method: "GET", path: pathOf(id, "wait"), query: { timeout: held }, held };
      return { method: "GET", path: pathOf(id, kindOf(id) === "interrupts" ? "status" : "") };
    };
    for (;;) {
      const began = now();
      const last = left() < 1;
      if (last) await pause(left(), signal);
      const seen = await this.http.exchange<Item>(look, left(), signal).catch((error: unknown) => {
        if (error instanceof Unavailable) return null;
        throw error;
      });
      if (!seen) return null;
      if (!OPEN.has(seen.status)) return { ...(await this.get(id)), ...seen };
      if (last) return null;
      if (now() - began < 1) await pause(1, signal); // something on the way does not let answers be held
    }
  }
}

/** What of an item a decision is about; as in the Python client, so that both make the same keys. */
const SUBJECTS: Record<Kind, (asked: Json) => unknown[]> = {
  /** The tool call, or the words where there is none. */
  interrupts({ type, tool_name, tool_args, args_schema, reason, data }) {
    const about = [type, tool_name || null];
    return says(tool_args) || says(args_schema) ? [...about, tool_args ?? {}] : [...about, reason, data ?? {}];
  },
  /** Where a template says what it is, the server has filled in the rest. */
  requests({ template, request_type, title, required_fields, context }) {
    if (template) return ["template", template, context ?? {}];
    return [request_type ?? null, title ?? null, required_fields ?? {}, context ?? {}];
  },
};

export function pathOf(id: string, verb = ""): string {
  return [kindOf(id), encodeURIComponent(id), verb].filter(Boolean).join("/");
}

/** Leave out what is not given. */
export function given(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
}

const kindOf = (id: string): Kind => (id.startsWith("har_") ? "requests" : "interrupts");

const says = (value: unknown): boolean =>
  typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value);
