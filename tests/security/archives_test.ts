import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ARCHIVE_LIMITS, unpack } from "../../src/kitectl/archive.ts";
import { Failure } from "../../src/kitectl/exit_codes.ts";
import { archive, type Entry, gzip } from "../kitectl/archives.ts";
import { Machine } from "../kitectl/support.ts";

const GOOD: Entry = { name: "fs-1.0.0.kite/bin/fs", body: "#!/bin/sh\n" };

async function tree(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    found.push(name);
    if (isDirectory) {
      found.push(...(await tree(`${folder}/${name}`)).map((each) => `${name}/${each}`));
    }
  }
  return found.sort();
}

Deno.test("security: kitectl install refuses links, devices and paths that lead out", async () => {
  await using machine = await Machine.make();
  await Deno.writeTextFile(`${machine.folder}/victim`, "untouched");
  const before = await tree(machine.folder);
  const hostile: [Entry, RegExp][] = [
    [{ name: "../victim", body: "x" }, /may lead out/],
    [{ name: "fs-1.0.0.kite/../../victim", body: "x" }, /may lead out/],
    [{ name: "fs-1.0.0.kite/bin/..", type: "directory" }, /may lead out/],
    [{ name: `${machine.folder}/victim`, body: "x" }, /may lead out/],
    [{ name: "//victim", body: "x" }, /may lead out/],
    [{ name: "fs-1.0.0.kite\\..\\victim", body: "x" }, /may lead out/],
    [{ name: "C:/victim", body: "x" }, /may lead out/],
    [{ name: "fs-1.0.0.kite/a\nb", body: "x" }, /may lead out/],
    [{ name: `fs-1.0.0.kite/${"a/".repeat(40)}b`, body: "x" }, /too deep/],
    [{ name: `fs-1.0.0.kite/${"a".repeat(2_000)}`, body: "x" }, /may lead out/],
    [{ name: "fs-1.0.0.kite/l", type: "symlink", linkname: "/etc" }, /is a symlink/],
    [{ name: "fs-1.0.0.kite/l", type: "link", linkname: "../../victim" }, /is a link/],
    [{ name: "fs-1.0.0.kite/d", type: "character-device" }, /is a character-device/],
    [{ name: "fs-1.0.0.kite/d", type: "block-device" }, /is a block-device/],
    [{ name: "fs-1.0.0.kite/p", type: "fifo" }, /is a fifo/],
    [{ ...GOOD, body: "twice" }, /Cannot write .*bin\/fs/],
    [{ name: "fs-1.0.0.kite/bin/fs/x", body: "x" }, /Cannot create/],
  ];
  for (const [entry, message] of hostile) {
    await Deno.writeFile(`${machine.folder}/x.tgz`, await archive([GOOD, entry]));
    const { code, stderr } = await machine.run(["install", "x.tgz"]);
    assertEquals(code, 1, `${entry.name}: ${stderr}`);
    assertMatch(stderr, message);
    await Deno.remove(`${machine.folder}/x.tgz`);
    await Deno.remove(machine.home, { recursive: true });
    assertEquals(await tree(machine.folder), before, entry.name);
  }
  assertEquals(await Deno.readTextFile(`${machine.folder}/victim`), "untouched");
});

Deno.test("security: kitectl install refuses 10 GB of zeros before it has unpacked them", async () => {
  await using machine = await Machine.make();
  await Deno.writeFile(`${machine.folder}/bomb.tgz`, await bomb(10 * 1024 ** 3));
  const { code, stderr } = await machine.run(["install", "bomb.tgz"]);
  assertEquals(code, 1, stderr);
  assertMatch(stderr, /what it unpacks to has more than 512 MiB/);
  assertEquals(await tree(`${machine.home}/kites`), []);
});

Deno.test("security: an archive is bounded in bytes packed and unpacked, and in entries", async () => {
  const folder = await Deno.makeTempDir();
  const most = { packedBytes: 100_000, unpackedBytes: 100_000, entries: 10 };
  const refused = async (bytes: Uint8Array<ArrayBuffer>, message: string): Promise<void> => {
    const work = () => unpack(new Blob([bytes]).stream(), folder, most);
    await assertRejects(work, Failure, message);
    await Deno.remove(folder, { recursive: true });
    await Deno.mkdir(folder);
  };
  try {
    const random = crypto.getRandomValues(new Uint8Array(60_000));
    const text = Array.from(random, (byte) => String.fromCharCode(byte)).join("");
    await refused(await archive([{ ...GOOD, body: text + text }]), "the archive has more than");
    const big = { ...GOOD, body: "0".repeat(99_000) };
    await refused(await archive([big, { ...GOOD, name: "fs-1.0.0.kite/b" }]), "what it unpacks to");
    await refused(await zeros(2), "what it unpacks to has more than");
    const many = Array.from({ length: 11 }, (_, i) => ({ name: `fs.kite/${i}`, body: "" }));
    await refused(await archive(many), "it has more than 10 entries");
    await refused(new TextEncoder().encode("no archive"), "it is no .tar.gz, or damaged");
    const cut = await archive([{ ...GOOD, body: text }]);
    await refused(cut.slice(0, cut.length / 2), "it is no .tar.gz, or damaged");
    await refused(await gzip(new Blob(["no tar"]).stream()), "it is no .tar.gz, or damaged");
    assert(ARCHIVE_LIMITS.unpackedBytes < 10 * 1024 ** 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** An archive whose only file says that it has `size` bytes, with the first of them. */
async function bomb(size: number): Promise<Uint8Array<ArrayBuffer>> {
  const { createTarPacker } = await import("modern-tar");
  const { readable, controller } = createTarPacker();
  const file = controller.add({ name: GOOD.name, size, type: "file" });
  const writer = file.getWriter();
  writer.write(new Uint8Array(65_536)).catch(() => {});
  const reader = readable.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let length = 0; length < 65_536;) {
    const { value } = await reader.read();
    chunks.push(new Uint8Array(value!));
    length += value!.length;
  }
  await reader.cancel();
  return await gzip(new Blob(chunks).stream());
}

/** Zeros without end: to tar, padding after an archive. */
async function zeros(mebibytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const block = new Uint8Array(1024 * 1024);
  let left = mebibytes;
  return await gzip(
    new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(block);
        else controller.close();
      },
    }),
  );
}
