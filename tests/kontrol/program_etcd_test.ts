import { assertEquals } from "@std/assert";
import { Kite } from "../../mod.ts";
import { etcdTls, TestEtcd } from "../support/etcd.ts";
import { skipUnless } from "../support/parts.ts";
import { startProgram } from "./program.ts";
import { enableAuth, PASSWORD } from "./storage/etcd_access.ts";
import { TemporaryFolder } from "./support.ts";

const LOCAL = ["-ip=127.0.0.1", "-port=0", "-storage=etcd"];

/** Fails unless a kite can register at a Kontrol that was started with these flags. */
async function assertRegisters(folder: string, flags: readonly string[]): Promise<void> {
  await using program = await startProgram({ folder }, ...LOCAL, ...flags);
  await using kite = new Kite("math", "1.0.0", {
    kiteHome: `${folder}/kite`,
    kontrolUrl: program.url,
    logLevel: "FATAL",
  });
  await kite.registerOnce("http://127.0.0.1:1/kite");
  assertEquals((await kite.getKites({ name: "math" })).length, 1);
}

Deno.test({
  name: "program: -etcd-username and -etcd-password authenticate at etcd",
  ...skipUnless("etcd"),
  fn: async () => {
    await using folder = new TemporaryFolder();
    await using etcd = await TestEtcd.start();
    await enableAuth(etcd.endpoints[0]!);
    await assertRegisters(folder.path, [
      `-machines=${etcd.endpoints.join()}`,
      "-etcd-username=root",
      `-etcd-password=${PASSWORD}`,
    ]);
  },
});

Deno.test({
  name: "program: -etcd-cafile, -etcd-certfile and -etcd-keyfile connect to an etcd with TLS",
  ...skipUnless("etcd"),
  fn: async () => {
    await using folder = new TemporaryFolder();
    await using etcd = await TestEtcd.start(1, { tls: true });
    const flags = [`-machines=${etcd.endpoints.join()}`];
    for (const [name, text] of Object.entries(await etcdTls())) {
      await Deno.writeTextFile(`${folder.path}/${name}.pem`, text);
      flags.push(`-etcd-${name}file=${folder.path}/${name}.pem`);
    }
    await assertRegisters(folder.path, flags);
  },
});
