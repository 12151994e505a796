/** The guide for Node and Bun, followed as it stands. */

import { assertEquals } from "@std/assert";
import { blocks, page, promised } from "../docs/pages.ts";
import { freePort } from "../support/ports.ts";
import { TestProcess } from "../support/process.ts";
import type { Project, Runtime } from "./support.ts";

/** Runs the blocks of docs/node.md in their order, on free ports and with a home of their own. */
export async function checkGuide(project: Project, runtime: Runtime): Promise<void> {
  const [math, kontrol] = [String(freePort()), String(freePort())];
  const local = (text: string): string => text.replaceAll("3636", math).replaceAll("4000", kontrol);
  const home = `${project.folder}/guide-${runtime.name.replace(" ", "-")}`;
  const env = {
    ...{ HOME: home, KITE_HOME: "", NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
    ...{ KONTROL_PORT: kontrol, KITE_KONTROL_URL: `http://127.0.0.1:${kontrol}/kite` },
  };
  const outputs = new Map<string, string[]>();
  await using running = new AsyncDisposableStack();
  for (const { kind, text } of blocks(page("docs/node.md"))) {
    const [language, name = ""] = kind.split(" ");
    if (language === "js") {
      await project.write(name, local(text));
      outputs.set(name, promised(text));
    }
    if (kind !== "sh npm") continue;
    for (const line of text.split("\n")) {
      const [program = "", command = "", ...words] = line.replace(/\s+#.*$/, "").split(" ");
      if (program === "npm") continue; // the tarball is installed already
      const script = program === "npx" ? `node_modules/.bin/${command}` : command;
      const start = { program: runtime.program, args: [script, ...words], env };
      if (line.includes("# keeps running")) {
        running.use(
          await TestProcess.start({
            ...start,
            cwd: project.folder,
            ready: (said) => said.includes("listens at"),
          }),
        );
        continue;
      }
      const { code, stdout, stderr } = await new Deno.Command(start.program, {
        ...start,
        cwd: project.folder,
        stdin: "null",
        signal: AbortSignal.timeout(30_000),
      }).output();
      const decoder = new TextDecoder();
      assertEquals(code, 0, `${line}\n${decoder.decode(stderr)}`);
      const wanted = outputs.get(script);
      if (wanted === undefined) continue;
      assertEquals(decoder.decode(stdout).trim().split("\n"), wanted);
    }
  }
}
