// The socket that says "something happened", and what to do while it is away. It never carries content:
// the page fetches itself, with its own permissions and filters.

import { FINE, showState } from "./banner.js";
import { renewForms } from "./fragment.js";
import { toast } from "./toast.js";
import { words } from "./words.js";

export { showWaiting } from "./counts.js";
export { fragment } from "./fragment.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const BANNER_AFTER_MS = 2_000;
const POLL_MS = 20_000;
const SETTLE_MS = 120;
const GAP_MS = 1_000; // between two looks, however many signals come
const HIDDEN_GAP_MS = 30_000; // nobody reads the page, but its title
const SILENCE_MS = 50_000; // the server says something every 20 s
const LOGGED_OUT = 4401;
const QUIET_FAILURES = 1;

export function connect(refresh, ring = () => {}) {
  new Connection(refresh, ring).open();
}

class Connection {
  constructor(refresh, ring) {
    Object.assign(this, { refresh, ring, attempt: 0, failures: 0, lookedAt: -Infinity });
    addEventListener("online", () => this.return());
    addEventListener("offline", () => this.draw());
    addEventListener("pageshow", (event) => event.persisted && this.return());
    addEventListener("focus", () => this.ended && this.return());
    document.addEventListener("visibilitychange", () => !document.hidden && this.return());
  }

  open() {
    if (this.ended || (this.socket && this.socket.readyState <= WebSocket.OPEN)) return this.draw();
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = (this.socket = new WebSocket(`${scheme}://${location.host}/ws/operators`));
    socket.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => socket === this.socket && this.lost(event.code));
    this.expectMore();
  }

  hear(message) {
    this.expectMore();
    if (message.type === "hello") this.back();
    else if (message.type !== "ping") {
      this.ring(message);
      this.look();
    }
  }

  // Fetch once for a burst of signals, never two at a time, and seldom while nobody looks.
  look() {
    if (this.fetching) return void (this.again = true);
    const gap = document.hidden ? HIDDEN_GAP_MS : GAP_MS;
    const at = Math.max(performance.now() + SETTLE_MS, this.lookedAt + gap);
    if (this.plannedAt <= at) return;
    clearTimeout(this.planned);
    this.plannedAt = at;
    this.planned = setTimeout(() => this.fetch(), at - performance.now());
  }

  async fetch() {
    this.fetching = true;
    this.again = false;
    try {
      await this.refresh();
      this.fetched();
    } catch (problem) {
      this.failed(problem);
    }
    this.fetching = false;
    this.plannedAt = undefined;
    this.lookedAt = performance.now();
    if (this.again) this.look();
  }

  fetched() {
    if (this.ended) renewForms();
    this.failures = 0;
    this.ended = false;
    if (!this.up) return this.open();
    this.draw();
    if (this.said) toast(words.online);
    this.said = false;
  }

  failed(problem) {
    if (problem.loggedOut) return this.end();
    this.failures += 1;
    if (this.up) setTimeout(() => this.look(), pause(this.failures)); // otherwise the poll comes back to it
    this.draw();
  }

  expectMore() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.socket.close();
      this.lost();
    }, SILENCE_MS);
  }

  lost(code) {
    this.up = false;
    this.socket = null;
    clearTimeout(this.silence);
    if (code === LOGGED_OUT) return this.end();
    this.lostAt ??= performance.now();
    setTimeout(() => this.draw(), BANNER_AFTER_MS + 20);
    this.poll ??= setInterval(() => this.look(), POLL_MS);
    this.retry = setTimeout(() => this.open(), pause(this.attempt++));
  }

  back() {
    const missed = this.attempt > 0 || this.failures > 0;
    this.up = true;
    this.attempt = 0;
    this.lostAt = undefined;
    clearInterval(this.poll);
    this.poll = undefined;
    if (missed || this.said) this.look();
    else this.draw();
  }

  // The reader is here again: whatever was put off is due.
  return() {
    if (this.plannedAt || this.ended || this.said) this.look();
    this.open();
  }

  end() {
    this.ended = true;
    clearInterval(this.poll);
    this.poll = undefined;
    this.draw();
  }

  draw() {
    const state = this.state();
    if (state) this.said = true;
    else if (this.said && this.failures) return; // connected again, but not yet up to date
    showState(state, this.up);
  }

  state() {
    if (this.ended) return "ended";
    if (!navigator.onLine) return "unplugged";
    if (this.lostAt !== undefined && performance.now() - this.lostAt >= BANNER_AFTER_MS) return "offline";
    return this.failures > QUIET_FAILURES ? "stale" : FINE;
  }
}

const pause = (attempt) =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
