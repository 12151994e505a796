/**
 * The container files: what they name exists, and the services of the compose file work together, as
 * processes of this machine.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "yaml";
import { Kite } from "../../mod.ts";
import { ROOT } from "../../tools/paths.ts";
import { readPrograms } from "../../tools/programs.ts";
import { startProgram } from "../kontrol/program.ts";
import { TemporaryFolder } from "../kontrol/support.ts";
import { skipUnlessPostgres, TestPostgres } from "../support/postgres.ts";

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const FOLDER = new URL("examples/containers/", ROOT);

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, FOLDER));
}

const compose: Compose = parse(read("compose.yaml"), { merge: true });

Deno.test("containers: the image has the programs that it names, compiled by this Deno's version", async () => {
  const text = read("Containerfile");
  const programs = (await readPrograms()).map(({ name }) => name);
  const compiled = /deno task compile (.+)/.exec(text)?.[1]?.split(" ") ?? [];
  const copied = [...text.matchAll(/\/build\/dist\/bin\/(\S+)/g)].map(([, name]) => name);
  assertEquals(copied, compiled);
  for (const name of compiled) assert(programs.includes(name), name);
  const [, started = ""] = /^CMD \["(\S+)"\]$/m.exec(text) ?? [];
  assert(compiled.includes(started), started);
  assertMatch(text, /^USER kite$/m);
  const version = /denoland\/deno:(\S+)/.exec(text)?.[1];
  const workflow = Deno.readTextFileSync(new URL(".github/workflows/ci.yml", ROOT));
  assertStringIncludes(workflow, `deno-version: v${version}`);
});

Deno.test("containers: every service, volume and file that the compose file names is there", () => {
  const { services, volumes } = compose;
  for (
    const [name, { image, build, volumes: mounts = [], depends_on = [] }] of Object.entries(
      services,
    )
  ) {
    assert(image !== undefined || build !== undefined, name);
    if (build !== undefined) Deno.statSync(new URL(`${build.context}/${build.dockerfile}`, FOLDER));
    for (const mount of mounts) {
      const [source = ""] = mount.split(":");
      if (source.startsWith("./")) Deno.statSync(new URL(source, FOLDER));
      else assert(source in volumes, mount);
    }
    const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on);
    for (const other of needed) assert(other in services, `${name} needs ${other}`);
  }
  const upstreams = /reverse_proxy (.+) \{/.exec(read("Caddyfile"))?.[1]?.split(" ") ?? [];
  const kontrols = Object.entries(services).filter(([, { build }]) => build !== undefined);
  assertEquals(
    upstreams,
    kontrols.map(([name, { environment }]) => `${name}:${environment?.KONTROL_PORT}`),
  );
});

Deno.test({
  name: "containers: two Kontrols with the settings of the compose file share kites and keys",
  ...await skipUnlessPostgres(),
  fn: async () => {
    await using postgres = await TestPostgres.start();
    const environments = Object.values(compose.services)
      .filter(({ build }) => build !== undefined)
      .map(({ environment = {} }) => environment);
    assertEquals(environments.length, 2);
    await using folders = new AsyncDisposableStack();
    const kontrols = [];
    for (const environment of environments) {
      const folder = folders.use(new TemporaryFolder()).path;
      const env = {
        ...environment,
        // The names of the services are those of this machine's servers.
        KONTROL_POSTGRES_HOST: postgres.host,
        KONTROL_POSTGRES_PORT: String(postgres.port),
        KONTROL_POSTGRES_USERNAME: postgres.username,
        KONTROL_POSTGRES_DBNAME: "postgres",
        KONTROL_PORT: "0",
        KONTROL_IP: "127.0.0.1",
      };
      const program = folders.use(await startProgram({ folder, env }));
      const kontrolUrl = program.url.replace("0.0.0.0", "127.0.0.1");
      kontrols.push({ kiteHome: `${folder}/kite`, kontrolUrl });
    }
    const [first, second] = kontrols;
    const options = { logLevel: "FATAL", kiteHome: first!.kiteHome, ip: "127.0.0.1" } as const;
    await using math = new Kite("math", "1.0.0", { ...options, kontrolUrl: first!.kontrolUrl });
    math.handle("square", ({ args }) => args.one().number() ** 2);
    await math.register((await math.listen()).url);
    // With the same kite.key at the other Kontrol: both sign and verify with the same pair.
    await using exp2 = new Kite("exp2", "1.0.0", { ...options, kontrolUrl: second!.kontrolUrl });
    const [remote] = await exp2.getKites({ name: "math" });
    await remote!.dial();
    assertEquals(await remote!.tell("square", 4), 16);
  },
});
