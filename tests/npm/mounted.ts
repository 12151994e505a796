/** The programs of docs/node.md that mount a kite in a server of their own, and the opposite. */

import { assertEquals } from "@std/assert";
import type { TransportName } from "../../mod.ts";
import { blocks, page } from "../docs/pages.ts";
import { ourKite } from "../interop/our_kite.ts";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";
import type { Project, Runtime } from "./support.ts";

/** The transport over which each program is reached. */
const TRANSPORTS: Readonly<Record<string, TransportName>> = {
  "mounted-in-hono.js": "XHRPolling",
  "mounted-in-bun.js": "XHRPolling",
  "pages-in-kite.js": "WebSocket",
};

/** Runs the programs on free ports. Each has a page and a kite. */
export async function checkMounted(project: Project, runtime: Runtime): Promise<void> {
  const programs = blocks(page("docs/node.md")).flatMap(({ kind, text }) => {
    const name = kind.replace("js ", "");
    return name in TRANSPORTS ? [{ name, text }] : [];
  });
  assertEquals(programs.map(({ name }) => name), Object.keys(TRANSPORTS));
  for (const { name, text } of programs) {
    if (name === "mounted-in-bun.js" && runtime.name !== "Bun") continue;
    await checkProgram(project, runtime, name, text);
  }
}

async function checkProgram(
  project: Project,
  { program }: Runtime,
  name: string,
  text: string,
): Promise<void> {
  const port = String(freePort());
  await project.write(name, text.replaceAll("3637", port));
  const errors: string[] = [];
  await using process = await TestProcess.start({
    program,
    args: [name],
    cwd: project.folder,
    env: { NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
    ready: (line) => line.includes("listens"),
  });
  process.onLine((line, source) => void (source === "stderr" && errors.push(line)));
  const url = `http://127.0.0.1:${port}`;
  assertEquals(await (await fetch(url)).text(), "my own page");
  await using kite = ourKite();
  await using client = kite.newClient(`${url}/kite`);
  await client.dial();
  assertEquals([await client.tell("square", 4), client.transport], [16, TRANSPORTS[name]], name);
  assertEquals(errors.filter((line) => line.includes("Error")), []);
}
