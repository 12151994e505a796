import { assertArrayIncludes, assertEquals, assertStringIncludes } from "@std/assert";
import { ETCD3_RANGE } from "../../kontrol/storage/etcd_grpc.ts";
import { ROOT } from "../../tools/paths.ts";

const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
const { imports, scopes } = JSON.parse(await read("deno.json"));

Deno.test("deno.lock has only the packages that the programs import, since a task downloads all", async () => {
  const { specifiers } = JSON.parse(await read("deno.lock"));
  const names = Object.keys(specifiers).map((specifier) => /^npm:(.+)@/.exec(specifier)?.[1] ?? "");
  assertArrayIncludes(Object.keys(imports), names);
});

Deno.test("ETCD3_RANGE is the range of the import and of the tests", async () => {
  const specifier = `npm:etcd3@${ETCD3_RANGE}`;
  assertStringIncludes(await read("kontrol/storage/etcd_grpc.ts"), `from "${specifier}"`);
  assertEquals(scopes["./tests/"].etcd3, specifier);
});
