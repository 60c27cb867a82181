// Runs that are run again: how the same call finds its decision, in this language or in Python.
//
// The key of a call is SHA-256 over the run or session, the call's id or its ordinal among equal calls, the
// tool's name and the arguments, written as canonical JSON.

import { crypto } from "#crypto";

/** What a key holds within: ["run", id], ["session", id] or ["workflow", id]. */
export type Scope = readonly [kind: string, id: string];

/** A number that is written as Python writes a float: `new Float(1)` is 1.0, which is not the same as 1. */
export class Float {
  constructor(readonly value: number) {}
}

/**
 * Write JSON in one way only: keys sorted by code point, no spaces, numbers as Python writes them.
 *
 * Throws TypeError for what is no JSON: bigints, dates, instances of classes, NaN, lone surrogates.
 */
export function canonical(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return text(value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : float(value);
  if (value instanceof Float) return float(value.value);
  if (Array.isArray(value)) return `[${Array.from(value, canonical).join(",")}]`;
  if (!isPlain(value)) throw new TypeError(`${describe(value)} is no JSON`);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([one], [other]) => byCodePoint(one, other));
  return `{${members.map(([name, member]) => `${text(name)}:${canonical(member)}`).join(",")}}`;
}

/** Copy JSON as it will arrive. Throws as `canonical` does. */
export function copied<T>(value: T): T {
  return JSON.parse(canonical(value)) as T;
}

/** Copy JSON, floats and all, so that what was asked about does not change while it is waited for. */
export function frozen<T>(value: T): T {
  if (Array.isArray(value)) return Array.from(value, frozen) as T;
  if (value instanceof Float || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, frozen(member)])) as T;
}

/** Name a call so that a re-run names it alike; `subject` is the tool's name and its arguments. */
export function replayKey(scope: Scope, call: string | number, subject: unknown): Promise<string> {
  return sha256(canonical([scope, call, subject]));
}

/** Return the SHA-256 of a text, or its HMAC where there is a secret, in hex. */
export async function sha256(message: string, secret?: string): Promise<string> {
  const bytes = new TextEncoder().encode(message);
  if (secret === undefined) return hex(await crypto.subtle.digest("SHA-256", bytes));
  const raw = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return hex(await crypto.subtle.sign("HMAC", key, bytes));
}

export const randomKey = (): string => crypto.randomUUID();

/** Count equal calls, so that a second one is a question of its own and a re-run finds both. */
export class Ordinals {
  #counts = new Map<string, Map<string, number>>();

  /** Return 0 for the first call about this subject, 1 for the second, … */
  take(scope: Scope, subject: unknown): number {
    const within = canonical(scope);
    const about = canonical(subject);
    const counts = this.#counts.get(within) ?? new Map<string, number>();
    const ordinal = counts.get(about) ?? 0;
    this.#counts.set(within, counts.set(about, ordinal + 1));
    return ordinal;
  }

  /** Begin anew: the run has ended, the next calls are a re-run's. */
  restart(scope: Scope): void {
    this.#counts.delete(canonical(scope));
  }
}

function text(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new TypeError("half of a surrogate pair is no text");
  return JSON.stringify(value);
}

/** Python and JavaScript find the same digits, but disagree on when to use an exponent. */
function float(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON`);
  const [mantissa = "", power = ""] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const sign = Object.is(value, -0) ? "-" : "";
  const plain = exponent < 0 ? value.toFixed(mantissa.replace(/\D/g, "").length - 1 - exponent) : String(value);
  return Number.isInteger(value) ? `${sign}${plain}.0` : plain;
}

function byCodePoint(one: string, other: string): number {
  const [left, right] = [Array.from(one), Array.from(other)];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const difference = left[at]!.codePointAt(0)! - right[at]!.codePointAt(0)!;
    if (difference) return difference;
  }
  return left.length - right.length;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const describe = (value: unknown): string =>
  typeof value === "object" && value !== null ? `an instance of ${value.constructor.name}` : typeof value;

const hex = (buffer: ArrayBuffer): string =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
