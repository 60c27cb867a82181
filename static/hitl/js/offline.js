// The page that stands in while the server cannot be reached: come back as soon as it can.

const AGAIN_MS = 5_000;

// The stand-in has the address of the page that was wanted.
const again = () => location.reload();

addEventListener("online", again);
document.getElementById("again")?.addEventListener("click", again);
setInterval(async () => {
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (answer?.ok && !location.pathname.startsWith("/admin/offline")) again();
}, AGAIN_MS);
