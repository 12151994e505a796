import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { skipUnless } from "../support/parts.ts";
import { TestProcess } from "../support/process.ts";
import { startChromium } from "./support.ts";

const ROOT = new URL("../../", import.meta.url);

/** Set to take the picture of docs/browser.md. */
const SCREENSHOT = Deno.env.get("KITE_SCREENSHOT");

Deno.test({
  name: "deno task example:browser: its page calls the kite, and the kite calls the page",
  ...skipUnless("chromium"),
  fn: async () => {
    let url = "";
    await using _example = await TestProcess.start({
      program: Deno.execPath(),
      args: ["task", "--quiet", "example:browser"],
      cwd: ROOT,
      startMs: 60_000,
      ready: (line) => {
        url ||= /^Open (\S+) in a browser/.exec(line)?.[1] ?? "";
        return url !== "";
      },
    });
    await using chromium = await startChromium();
    await using page = await chromium.open(url);
    const textOf = (id: string) => page.evaluate(readText, id);
    await eventually(async () => (await textOf("log")).includes("Hello, page!"), {
      what: "the greeting of the kite",
      withinMs: 20_000,
    });
    assertEquals(await textOf("state"), "Connected over WebSocket");
    await page.evaluate(clickButton);
    await eventually(async () => await textOf("result") === "16", {
      what: "the square",
      withinMs: 20_000,
    });
    await eventually(async () => (await textOf("log")).includes("4 squared is 16"), {
      what: "the line that the kite logs in the page",
      withinMs: 20_000,
    });
    assertEquals(page.errors, []);
    if (SCREENSHOT !== undefined) {
      await Deno.writeFile(new URL("docs/browser.png", ROOT), await page.screenshot(640, 420));
    }
  },
});

interface PageElement {
  readonly textContent: string | null;
  readonly value?: string;
  click(): void;
}

/** Deno has no types of the DOM. */
interface PageScope {
  readonly document: { querySelector(selector: string): PageElement | null };
}

/** Runs in the page. */
function readText(id: string): string {
  const element = (globalThis as unknown as PageScope).document.querySelector(`#${id}`);
  return element?.value ?? element?.textContent ?? "";
}

/** Runs in the page. */
function clickButton(): void {
  (globalThis as unknown as PageScope).document.querySelector("button")?.click();
}
