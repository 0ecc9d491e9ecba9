// An accessibility check of one page, in the page: names, roles, landmarks, headings, ids, contrast. Gives JSON of faults.
() => {
  const faults = [];
  const fault = (rule, element, detail) => faults.push([rule, element.outerHTML?.slice(0, 140) ?? "", detail ?? ""]);
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);

  const text = (element) => (element?.textContent ?? "").trim();
  const name = (element) => {
    const by = (element.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean).map((id) => text(document.getElementById(id))).join(" ");
    const label = element.labels?.length ? [...element.labels].map(text).join(" ") : "";
    return by || element.getAttribute("aria-label") || label || text(element) || element.getAttribute("title") || "";
  };

  if (!document.documentElement.lang) fault("lang", document.documentElement);
  if (!document.title.trim()) fault("title", document.head);
  if (document.querySelectorAll("main").length !== 1) fault("one main", document.body);
  if (all("h1").length !== 1) fault("one h1", document.body, all("h1").length);
  for (const element of all("nav, aside, section, [role=region], form[role=search]")) {
    if (!element.getAttribute("aria-label") && !element.getAttribute("aria-labelledby") && element.tagName !== "SECTION") fault("landmark without a name", element);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) fault("id twice", document.getElementById(id), id);

  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    if (heading.closest(".prose")) continue; // what agents write has headings of its own
    const next = Number(heading.tagName[1]);
    if (next > level + 1 && level) fault("heading skips a level", heading);
    level = next;
  }

  for (const element of all("button, a[href], input:not([type=hidden]), select, textarea, summary, [role=region], dialog[open]")) {
    if (!name(element)) fault("no name", element);
  }
  for (const element of all("[tabindex]")) if (Number(element.getAttribute("tabindex")) > 0) fault("positive tabindex", element);
  for (const element of all("a:not([href])")) fault("link without an address", element);
  for (const element of document.querySelectorAll("svg")) {
    if (element.getAttribute("aria-hidden") !== "true" && !(element.getAttribute("role") === "img" && name(element))) fault("graphic without a role", element);
  }
  for (const element of all("img:not([alt])")) fault("image without alt", element);
  for (const table of all("table")) {
    if (table.querySelector("thead") && !table.closest(".prose") && !table.querySelector("th[scope=col]")) fault("table without column headers", table);
  }
  for (const element of all("[aria-describedby]")) {
    for (const id of element.getAttribute("aria-describedby").split(/\s+/)) if (!document.getElementById(id)) fault("describedby to nothing", element, id);
  }
  for (const element of all("pre, .scroll, .scroller, .sessions")) {
    const scrolls = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    if (scrolls && element.tabIndex < 0 && !element.querySelector("a, button")) fault("scrolls and has no focus", element);
  }
  for (const element of all(".badge, .sign, .layers li > span:first-child")) {
    const words = element.matches(".sign") ? element.parentElement : element;
    if (!/[a-z]/i.test(words.textContent)) fault("state by sign or colour only", element);
  }

  // Contrast, of every text as it is drawn.
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const colour = (value) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = value;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((part, index) => part * top[3] + below[index] * (1 - top[3]));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const value = colour(getComputedStyle(at).backgroundColor);
      if (value[3] > 0) layers.push(value);
      if (value[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((part) => { const c = part / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, two) => { const [a, b] = [light(one), light(two)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(element) || !shown(element)) continue;
    seen.add(element);
    if (element.closest("script, style, .unseen, .announcer, .skip, option, [aria-hidden=true], :disabled")) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    if (!size) continue;
    const below = ground(element);
    const drawn = over(colour(style.color), below);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const found = ratio(drawn, below);
    if (found < needed) fault("contrast", element, `${found.toFixed(2)} of ${needed}`);
  }
  for (const element of all("input:not([type=hidden]), select, button:not(.plain)")) {
    const style = getComputedStyle(element);
    if (element.disabled || !parseFloat(style.borderTopWidth)) continue;
    const found = ratio(over(colour(style.borderTopColor), ground(element.parentElement)), ground(element.parentElement));
    if (found < 3) fault("border contrast", element, found.toFixed(2));
  }
  return JSON.stringify(faults);
}
