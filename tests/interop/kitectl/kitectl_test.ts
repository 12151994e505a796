/** Our kitectl at a real Go Kontrol, and the real Go kitectl at ours. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startTestKontrol } from "../../../src/testing/kontrol.ts";
import { fromFileUrl } from "../../../tools/paths.ts";
import { GO_KITECTL } from "../../../tools/parts.ts";
import { kiteArchive } from "../../kitectl/archives.ts";
import { Machine } from "../../kitectl/support.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres } from "../../support/postgres.ts";
import { SharedDatabase, startGoKontrol } from "../kontrol/go_kontrol.ts";
import { goKite, identityOf } from "../kontrol/setup.ts";

const go = skipUnless("go");
const postgres = await skipUnlessPostgres();

/** Runs Go's kitectl on a machine. */
async function goKitectl(machine: Machine, ...words: string[]): Promise<
  { code: number; output: string }
> {
  // Its errors go to standard output, and its log to standard error.
  const { code, stdout } = await new Deno.Command(fromFileUrl(GO_KITECTL), {
    args: words,
    cwd: machine.folder,
    clearEnv: true,
    env: machine.environment({ KITE_HOME: machine.home }),
    stdin: "null",
    signal: AbortSignal.timeout(30_000),
  }).output();
  // deno-lint-ignore no-control-regex -- Go's kitectl colors always
  const output = new TextDecoder().decode(stdout).replace(/\x1b\[[\d;]*m/g, "");
  return { code, output };
}

Deno.test({
  name: "interop: our kitectl at a Go Kontrol finds, examines and calls a Go kite",
  ignore: go.ignore || postgres.ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const database = stack.use(await SharedDatabase.start());
    const kontrol = stack.use(await startGoKontrol(database));
    const peer = stack.use(await goKite(await kontrol.keys.kiteKey("alice")));
    await peer.call("register", [peer.url]);
    const machine = stack.use(await Machine.make());
    await machine.writeKey(await kontrol.keys.kiteKey("alice"));
    const { name, id } = identityOf(peer);

    const query = await machine.run(["query", "--username", "alice", "--name", name, "--json"]);
    assertEquals(query.code, 0, query.stderr);
    assertEquals(JSON.parse(query.stdout).kite.id, id);
    const own = await machine.run(["query"]);
    assertStringIncludes(own.stdout, id, own.stderr);
    const none = await machine.run(["query", "--username", "alice", "--name", "nosuch"]);
    assertEquals(none.code, 3, none.stderr);

    const tell = await machine.run(["tell", "--username", "alice", "--name", name, "square", "4"]);
    assertEquals([tell.code, tell.stdout], [0, "16\n"], tell.stderr);
    const direct = await machine.run(["tell", "--to", peer.url, "--show-key", "square", "5"]);
    assertEquals(direct.stdout, "25\n", direct.stderr);
    const describe = await machine.run(["describe", "--id", id]);
    assertEquals(describe.code, 1);
    assertStringIncludes(describe.stderr, "Go kites and kite.js cannot describe themselves");

    const doctor = await machine.run(["doctor"], { env: { KONTROL_PORT: "1" } });
    assertMatch(doctor.stdout, /^ok +Kontrol +answers at/m);
    assertMatch(
      doctor.stdout,
      /^warning +storage +unknown: this Kontrol does not report it, like Go's/m,
    );
    assertMatch(doctor.stdout, /^ok +trust /m);
    assertMatch(doctor.stdout, /^ok +WebSocket /m);
    assertMatch(doctor.stdout, /^ok +XHRPolling /m);
    const register = await machine.run(
      ["register", "--force", "--to", kontrol.url, "--username", "bob"],
    );
    assertEquals(register.code, 1);
    assertStringIncludes(register.stderr, "no valid authentication key found");
  },
});

Deno.test({
  name: "interop: Go's kitectl registers at our Kontrol, finds and calls our kite",
  ignore: go.ignore,
  fn: async () => {
    await using kontrol = await startTestKontrol({ register: "open" });
    await using machine = await Machine.make();
    const registered = await goKitectl(
      machine,
      ...["register", "-to", kontrol.url, "-username", "ada"],
    );
    assertEquals([registered.code, registered.output], [0, "Registered successfully\n"]);
    assertMatch((await machine.run(["showkey"])).stdout, /^sub +ada$/m, "ours reads its key");
    const math = await kontrol.newKite("math", "1.0.0", { username: "ada" });
    math.handle("square", ({ args }) => args.one().number() ** 2);
    const { url } = await math.listen();
    await math.register(url);
    const query = await goKitectl(machine, "query", "-name", "math");
    assertEquals(query.code, 0, query.output);
    assertMatch(query.output, new RegExp(`^1\tada/test/math/1\\.0\\.0/.*/${math.id}\t${url}\n$`));
    const tell = await goKitectl(machine, "tell", "-to", url, "-method", "square", "4");
    assertEquals([tell.code, tell.output], [0, "16\n"]);
    const claims = await goKitectl(machine, "showkey");
    const ours = await machine.run(["showkey"]);
    assertEquals(/^sub.*$/m.exec(claims.output)?.[0], /^sub.*$/m.exec(ours.stdout)?.[0]);

    // The token of an invite cannot be given to Go's: it is refused, and says so.
    await using closed = await startTestKontrol({ register: "token" });
    const refused = await goKitectl(
      machine,
      ...["register", "-to", closed.url, "-username", "eve"],
    );
    // Its exit code is always 0.
    assertStringIncludes(refused.output, "Cannot register without an invite");
  },
});

Deno.test({
  name: "interop: Go's kitectl lists, runs and uninstalls what ours has installed",
  ignore: go.ignore,
  fn: async () => {
    await using machine = await Machine.make();
    await Deno.writeFile(`${machine.folder}/fs.tgz`, await kiteArchive("fs", "1.2.0"));
    const name = "github.com/koding/fs.kite/1.2.0";
    const installed = await machine.run(["install", "fs.tgz", "--as", name]);
    assertEquals(installed.code, 0, installed.stderr);
    assertEquals((await goKitectl(machine, "list")).output, `${name}\n`);
    const run = await goKitectl(machine, "run", "fs");
    assertEquals([run.code, run.output.split(":")[0]], [7, "fs 1.2.0"]);
    assertEquals((await goKitectl(machine, "uninstall", name)).code, 0);
    assertEquals((await machine.run(["list"])).stdout, "");
    assert((await goKitectl(machine, "list")).output === "");
  },
});
