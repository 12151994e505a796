/** The guide for two machines. Here each has an address of the loopback interface. */

import { assertEquals } from "@std/assert";
import { freePort } from "../support/ports.ts";
import { blocks, page } from "./pages.ts";
import { Reader } from "./reader.ts";

Deno.test("quick-start.md: the guide for two machines leads to a call by name", async () => {
  const options = {
    kontrolPort: freePort(),
    replacements: [["10.0.0.5", "127.0.0.1"], ["10.0.0.6", "127.0.0.2"]],
  } as const;
  await using first = await Reader.make(options);
  await using second = await Reader.make(options);
  const guide = blocks(page("docs/quick-start.md"));
  const [start, call] = guide.filter(({ kind }) => kind === "sh 10.0.0.5");
  const [serve] = guide.filter(({ kind }) => kind === "sh 10.0.0.6");

  for (const line of start!.text.split("\n")) await first.type(line);
  await Deno.mkdir(`${second.home}/.kite`);
  await Deno.copyFile(`${first.folder}/bob/kite.key`, `${second.home}/.kite/kite.key`);
  await second.type(serve!.text);
  assertEquals(await first.type(call!.text), "16\n");
});
