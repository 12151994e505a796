import { assert, assertMatch } from "@std/assert";
import { ROOT } from "../../tools/paths.ts";

Deno.test("workflows: every action is pinned by the hash of a commit, and names its version", () => {
  const folder = new URL(".github/workflows/", ROOT);
  let pins = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    const text = Deno.readTextFileSync(new URL(name, folder));
    for (const [, pin = ""] of text.matchAll(/^\s*-? ?uses: (.*)$/gm)) {
      assertMatch(pin, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
      pins++;
    }
  }
  assert(pins > 5);
});

Deno.test("publish workflow: a tag compiles the programs for Linux, macOS and Windows", () => {
  const text = Deno.readTextFileSync(new URL(".github/workflows/publish.yml", ROOT));
  for (const target of ["linux-gnu", "apple-darwin", "windows-msvc"]) {
    assertMatch(text, new RegExp(`x86_64-(unknown-|pc-)?${target}`));
  }
  assertMatch(text, /gh release create "\$GITHUB_REF_NAME" --verify-tag .*dist\/release/);
});
