/** What every Kontrol of one run shares: its credentials, and the servers that storages need. */
import { GO_PEER, lack, programOf } from "../../../tools/parts.ts";
import { fromFileUrl } from "../../../tools/paths.ts";
import { createTestKeys } from "../../../src/testing/keys.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { ISSUER, USER } from "../credentials.ts";

/** Everybody's keys and kite.keys, each in a file of its own. */
export interface KeyFiles {
  /** The id of the key pair in every storage. */
  readonly pairId: string;
  readonly publicKey: string;
  readonly privateKey: string;
  /** Kontrol's own kite.key. */
  readonly kontrolKiteKey: string;
  /** That of the kites which register and ask. */
  readonly kiteKey: string;
}

/** What a run has. */
export interface Setting extends AsyncDisposable {
  /** A folder for files of the run; it goes with it. */
  readonly folder: string;
  readonly keys: KeyFiles;
  /** The Go program of tests/interop/go; undefined where there is no Go. */
  readonly goPeer: string | undefined;
  readonly postgres: TestPostgres | undefined;
  readonly hasEtcd: boolean;
  /** Whether etcd still has the API that the Go Kontrol speaks. */
  readonly hasOldEtcd: boolean;
  /** What is not there, and so not measured. */
  readonly lacks: readonly string[];
}

/** Makes a key pair and kite.keys, and starts PostgreSQL where there is one. */
export async function prepareSetting(): Promise<Setting> {
  const hasPostgres = !(await skipUnlessPostgres()).ignore;
  const lacks = [lack("go"), lack("etcd"), hasPostgres ? undefined : "no PostgreSQL here"];
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "kite_bench_kontrol_" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const postgres = hasPostgres ? stack.use(await TestPostgres.start()) : undefined;
  const keys = await makeKeys(folder);
  const hasOldEtcd = await enableOldEtcd();
  const all = stack.move();
  return {
    folder,
    keys,
    postgres,
    hasOldEtcd,
    hasEtcd: lack("etcd") === undefined,
    goPeer: lack("go") === undefined ? fromFileUrl(GO_PEER) : undefined,
    lacks: lacks.filter((line) => line !== undefined),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Lets every etcd that is started from here serve its API of version 2, too, if it has it. */
async function enableOldEtcd(): Promise<boolean> {
  const program = programOf("etcd");
  if (program === undefined) return false;
  const { stdout, stderr } = await new Deno.Command(program, { args: ["--help"] }).output();
  const help = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join();
  const hasIt = help.includes("--enable-v2 ");
  if (hasIt) Deno.env.set("ETCD_ENABLE_V2", "true");
  return hasIt;
}

async function makeKeys(folder: string): Promise<KeyFiles> {
  const { pair, kiteKey } = await createTestKeys({ kontrolUser: ISSUER });
  const write = async (name: string, text: string): Promise<string> => {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, text);
    return path;
  };
  return {
    pairId: crypto.randomUUID(),
    publicKey: await write("public.pem", pair.publicKey),
    privateKey: await write("private.pem", pair.privateKey),
    kontrolKiteKey: await write("kontrol_kite.key", await kiteKey(ISSUER)),
    kiteKey: await write("kite.key", await kiteKey(USER)),
  };
}
