// The numbers that wait, in the header, and their sum in the title of the window.
const title = document.title;
const short = (count) => (count > 99 ? "99+" : String(count));

export function showWaiting({ waitingInterrupts, waitingRequests }) {
  const counts = { interrupts: Number(waitingInterrupts) || 0, requests: Number(waitingRequests) || 0 };
  counts.all = counts.interrupts + counts.requests;
  for (const badge of document.querySelectorAll("[data-waiting-count]")) {
    const count = counts[badge.dataset.waitingCount];
    badge.textContent = short(count);
    badge.hidden = count === 0;
  }
  document.title = counts.all ? `(${short(counts.all)}) ${title}` : title;
}
