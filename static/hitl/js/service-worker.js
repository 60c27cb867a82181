// Show pushes, and a page that says so while the server cannot be reached. No page of the admin and no answer
// of the API is ever kept: they hold what agents wrote. TOLD is written in front of this by the server.

const KEPT = `hitl-${TOLD.version}`;
const TAG = "hitl-waiting";

addEventListener("install", (event) => event.waitUntil(keepShell().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(takeOver()));

async function keepShell() {
  const page = await fetch(TOLD.offline, { cache: "reload", credentials: "omit" });
  if (!page.ok) throw new Error(`status ${page.status}`);
  const links = [...(await page.clone().text()).matchAll(/(?:href|src)="([^"#]+)/g)].map((found) => found[1]);
  const files = links.filter((link) => link.startsWith(TOLD.files));
  const cache = await caches.open(KEPT);
  await cache.put(TOLD.offline, page);
  await cache.addAll([...new Set(files)].map((file) => new Request(file, { cache: "reload" })));
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith("hitl-") && name !== KEPT) await caches.delete(name);
  }
  await registration.navigationPreload?.enable();
  await clients.claim();
}

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (pathname.startsWith(TOLD.files)) event.respondWith(file(request));
});

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return (await caches.match(TOLD.offline)) ?? Response.error();
  }
}

// What the server has comes first: what is kept is for when it is away.
async function file(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
}

addEventListener("push", (event) => event.waitUntil(show(event.data)));

// A browser wants a notification for every push, even for one that cannot be read.
function show(data) {
  let told = {};
  try {
    told = data?.json() ?? {};
  } catch {
    // the general words will do
  }
  return registration.showNotification(told.title ?? TOLD.title, {
    body: told.body ?? "",
    tag: TAG,
    renotify: true,
    icon: TOLD.icon,
    badge: TOLD.badge,
    data: { path: told.path },
    actions: [{ action: "open", title: told.open ?? TOLD.open }],
  });
}

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.path));
});

// A tab that shows it already comes to the front; no other is led away from what is typed there.
async function open(path) {
  const url = new URL(path ?? TOLD.home, location.origin);
  const safe = url.origin === location.origin && url.pathname.startsWith(TOLD.home) ? url : TOLD.home;
  const tabs = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = tabs.find((tab) => new URL(tab.url).pathname === url.pathname);
  return there ? there.focus() : clients.openWindow(safe);
}
