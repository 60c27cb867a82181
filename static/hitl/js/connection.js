// The socket that says "something happened", and what to do while it is away. It never carries content:
// the page fetches itself, with its own permissions and filters.

import { words } from "./words.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const BANNER_AFTER_MS = 2_000;
const POLL_MS = 20_000;
const SETTLE_MS = 120;
const SILENCE_MS = 50_000; // the server says something every 20 s
const LOGGED_OUT = 4401;

export function connect(refresh) {
  new Connection(refresh).open();
}

class Connection {
  constructor(refresh) {
    this.refresh = refresh;
    this.attempt = 0;
    this.settling = null;
    this.bannerTimer = null;
    this.poll = null;
    this.ended = false;
    addEventListener("online", () => this.socket?.readyState === WebSocket.CLOSED && this.open());
    addEventListener("pageshow", (event) => event.persisted && this.look());
  }

  open() {
    if (this.ended) return;
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/ws/operators`);
    this.socket.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.lost(event.code));
  }

  hear(message) {
    this.expectMore();
    if (message.type === "ping") return;
    if (message.type === "hello") {
      const again = this.attempt > 0;
      this.attempt = 0;
      this.back();
      if (again) this.look();
      return;
    }
    this.look();
  }

  // Fetch once for a burst of signals, and never twice at a time.
  look() {
    if (this.settling) {
      this.again = true;
      return;
    }
    this.settling = setTimeout(async () => {
      try {
        await this.refresh();
      } catch (problem) {
        if (problem.loggedOut) this.end();
      }
      this.settling = null;
      if (this.again) {
        this.again = false;
        this.look();
      }
    }, SETTLE_MS);
  }

  expectMore() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket.close(), SILENCE_MS);
  }

  lost(code) {
    clearTimeout(this.silence);
    if (code === LOGGED_OUT) return this.end();
    this.bannerTimer ??= setTimeout(() => this.away(words.offline), BANNER_AFTER_MS);
    this.poll ??= setInterval(() => this.look(), POLL_MS);
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempt);
    this.attempt += 1;
    this.retry = setTimeout(() => this.open(), pause * (0.5 + Math.random() / 2));
  }

  back() {
    clearTimeout(this.bannerTimer);
    clearInterval(this.poll);
    this.bannerTimer = this.poll = null;
    document.getElementById("connection").hidden = true;
    document.documentElement.dataset.connection = "on";
  }

  away(text) {
    const banner = document.getElementById("connection");
    banner.textContent = text;
    banner.hidden = false;
    document.documentElement.dataset.connection = "off";
    return banner;
  }

  end() {
    this.ended = true;
    clearInterval(this.poll);
    clearTimeout(this.bannerTimer);
    const link = document.createElement("a");
    link.href = `/admin/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = words.login;
    this.away(`${words.ended} `).append(link);
  }
}

// Fetch this page's own changing part.
export async function fragment(headers = {}) {
  const answer = await fetch(location.href, { headers: { "X-Fragment": "1", ...headers }, cache: "no-store" });
  if (answer.redirected && new URL(answer.url).pathname.startsWith("/admin/login")) {
    throw Object.assign(new Error("logged out"), { loggedOut: true });
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// The numbers that wait, in the header, and their sum in the title of the window.
const title = document.title;
const short = (count) => (count > 99 ? "99+" : String(count));

export function showWaiting({ waitingInterrupts, waitingRequests }) {
  const counts = { interrupts: Number(waitingInterrupts) || 0, requests: Number(waitingRequests) || 0 };
  for (const badge of document.querySelectorAll("[data-waiting-count]")) {
    const count = counts[badge.dataset.waitingCount];
    badge.textContent = short(count);
    badge.hidden = count === 0;
  }
  const sum = counts.interrupts + counts.requests;
  document.title = sum ? `(${short(sum)}) ${title}` : title;
}
