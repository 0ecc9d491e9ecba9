// The theme that this browser chose, applied before anything is drawn; without a choice the system's.
(() => {
  const root = document.documentElement;
  const chosen = (() => { try { return localStorage.getItem("signet-theme"); } catch { return null; } })();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("button.theme");
    if (!button) return;
    const label = button.querySelector("span");
    const name = () => { label.textContent = dark() ? "Light theme" : "Dark theme"; };
    name();
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("signet-theme", root.dataset.theme); } catch { /* it holds for this page */ }
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  });
})();
