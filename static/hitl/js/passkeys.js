// Passkeys: the browser asks the device, and what it answers goes with the form.

const decoded = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const encoded = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

document.querySelectorAll("form[data-passkey]").forEach((form) => {
  const { publicKey } = JSON.parse(document.getElementById("passkey-options").textContent);
  const problem = form.querySelector("p.error[hidden]");
  if (!window.PublicKeyCredential) {
    problem.hidden = false;
    return;
  }
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    problem.hidden = true;
    try {
      const adds = form.dataset.passkey === "add";
      const asked = { publicKey: read(publicKey) };
      const found = await (adds ? navigator.credentials.create(asked) : navigator.credentials.get(asked));
      form.elements.credential.value = JSON.stringify(written(found));
      form.submit();
    } catch {
      problem.hidden = false;
    }
  });
});

function read(options) {
  const list = (found) => found?.map((one) => ({ ...one, id: decoded(one.id) }));
  return {
    ...options,
    challenge: decoded(options.challenge),
    ...(options.user && { user: { ...options.user, id: decoded(options.user.id) } }),
    ...(options.allowCredentials && { allowCredentials: list(options.allowCredentials) }),
    ...(options.excludeCredentials && { excludeCredentials: list(options.excludeCredentials) }),
  };
}

function written(found) {
  const { response } = found;
  const parts = ["attestationObject", "clientDataJSON", "authenticatorData", "signature", "userHandle"];
  const filled = parts.filter((name) => response[name]).map((name) => [name, encoded(response[name])]);
  return {
    id: found.id,
    rawId: encoded(found.rawId),
    type: found.type,
    clientExtensionResults: found.getClientExtensionResults(),
    response: Object.fromEntries(filled),
  };
}
