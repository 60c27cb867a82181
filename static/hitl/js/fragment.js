// Fetch this page's own changing part, with its own permissions and filters.

const PATIENCE_MS = 10_000;

export async function fragment(headers = {}) {
  const answer = await fetch(location.href, {
    headers: { "X-Fragment": "1", ...headers },
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (answer.redirected && new URL(answer.url).pathname.startsWith("/admin/login")) {
    throw Object.assign(new Error("logged out"), { loggedOut: true });
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Logging in draws a new token; the forms of a page from before must send it, or they are refused.
export function renewForms() {
  const found = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (!found) return;
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = found[1];
}
