// Send something to the server with the token that says it comes from a page of ours.

export function send(path, body, method = "POST") {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const headers = { "X-CSRFToken": token, "Content-Type": "application/json" };
  return fetch(path, { method, headers, body: JSON.stringify(body) });
}
