// Elapsed times that go on between the server's messages. They count from when they were drawn: clocks may differ.
const begun = new WeakMap();

function shown(milliseconds) {
  if (milliseconds < 60_000) return (milliseconds / 1000).toFixed(1) + " s";
  const seconds = Math.floor(milliseconds / 1000);
  return Math.floor(seconds / 60) + " min " + String(seconds % 60).padStart(2, "0") + " s";
}

function tick() {
  const now = performance.now();
  for (const clock of document.querySelectorAll(".clock")) {
    if (!begun.has(clock)) begun.set(clock, now - Number(clock.dataset.elapsed));
    clock.textContent = shown(now - begun.get(clock));
  }
}

/** Let the clocks of the page go, ten times a second, or once where motion is not wanted. */
export function startClocks() {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  setInterval(tick, still ? 1000 : 100);
}
