import { assertEquals } from "@std/assert";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { connectTo, type Found, identity, startKontrol } from "./support.ts";

Deno.test("getKites: concurrent large answers beyond the session's limit of unsent bytes all arrive", async () => {
  const storage = new MemoryStorage();
  await using kontrol = await startKontrol({
    storage,
    kite: { limits: { outgoingBytes: 6_000_000 } },
  });
  const keyId = (await kontrol.kontrol.keys.own()).id;
  for (let i = 0; i < 2_000; i++) {
    await storage.upsert({ kite: identity(), url: "http://127.0.0.1:3636/kite", keyId });
  }
  const { client } = await connectTo(kontrol);
  const query = { name: "math" };
  const answers = await Promise.all(
    Array.from({ length: 16 }, () => client.tell<{ kites: Found[] }>("getKites", { query })),
  );
  assertEquals(answers.map(({ kites }) => kites.length), answers.map(() => 2_000));
});
