// What a page needs, begun once. Every part looks for its own elements and does nothing where they are not.
import { startClocks } from "./clock.js";
import { startComposer } from "./composer.js";
import { startDrawer } from "./drawer.js";
import { fold } from "./fold.js";
import { startQuietForms } from "./quiet.js";
import { startScroll } from "./scroll.js";
import { startStream } from "./stream.js";
import { localise } from "./time.js";

localise(document);
fold(document);
startClocks();
startScroll();
startQuietForms();
startComposer();
startDrawer();
startStream();

// On a narrow screen the navigation scrolls; the place one is at stands in it.
document.querySelector("nav [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
