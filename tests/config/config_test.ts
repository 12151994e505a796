import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createKiteKey } from "../../src/auth/kite_key.ts";
import { generateKeyPair, importPrivateKey } from "../../src/auth/keys.ts";
import {
  type ConfigSources,
  configWarnings,
  isVersionRequested,
  resolveConfig,
} from "../../src/config.ts";
import type { ConfigOptions } from "../../src/config_options.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { runDeno } from "../runtime/support.ts";

const pair = await generateKeyPair();
const kiteKey = await createKiteKey({
  username: "devrim",
  kontrolUser: "kontrol",
  kontrolUrl: "http://kontrol.test:4000/kite",
  privateKey: await importPrivateKey(pair.privateKey),
  publicKeyPem: pair.publicKey,
});

/** A machine with these variables and files alone. */
function machine(
  variables: Record<string, string> = {},
  files: Record<string, string> = {},
): ConfigSources {
  return {
    env: (name) => variables[name],
    readTextFile: (path) => files[path],
    homeDirectory: () => "/home/devrim",
  };
}

Deno.test("without options, variables and kite.key, every setting has its default", () => {
  const { limits, ...config } = resolveConfig({}, machine());
  assertEquals(limits, DEFAULT_LIMITS);
  assertEquals(config, {
    username: "unknown",
    environment: "unknown",
    region: "unknown",
    ip: "0.0.0.0",
    port: 0,
    tls: undefined,
    ca: [],
    kontrolUrls: [],
    kontrolKey: undefined,
    kontrolUser: undefined,
    kiteKey: undefined,
    kiteHome: "/home/devrim/.kite",
    transport: "auto",
    timeout: 15_000,
    handshakeTimeout: 10_000,
    verifyTtl: 300_000,
    logLevel: "INFO",
    logNoColor: false,
    proxyUrl: undefined,
  });
});

Deno.test("resolveConfig: takes the user and the Kontrol from the kite.key", () => {
  const files = { "/home/devrim/.kite/kite.key": `${kiteKey}\n` };
  const config = resolveConfig({}, machine({}, files));
  assertEquals(config.kiteKey, kiteKey);
  assertEquals(config.username, "devrim");
  assertEquals(config.kontrolUser, "kontrol");
  assertEquals(config.kontrolUrls, ["http://kontrol.test:4000/kite"]);
  assertEquals(config.kontrolKey, pair.publicKey.trim());
});

Deno.test("kiteHome: the kite.key is read from this directory", () => {
  const files = { "/keys/kite.key": kiteKey };
  assertEquals(resolveConfig({}, machine({}, files)).username, "unknown");
  assertEquals(resolveConfig({}, machine({ KITE_HOME: "/keys" }, files)).username, "devrim");
  const config = resolveConfig({ kiteHome: "/keys" }, machine({ KITE_HOME: "/none" }, files));
  assertEquals([config.username, config.kiteHome], ["devrim", "/keys"]);
  const given = resolveConfig({ kiteKey: ` ${kiteKey}\n` }, machine());
  assertEquals([given.username, given.kiteKey], ["devrim", kiteKey]);
  const none = resolveConfig({ kiteHome: "/keys", kiteKey: "" }, machine({}, files));
  assertEquals([none.username, none.kiteKey], ["unknown", undefined]);
});

Deno.test("options override variables, which override the kite.key", () => {
  const files = { "/home/devrim/.kite/kite.key": kiteKey };
  const variables = { KITE_USERNAME: "fatih", KITE_KONTROL_URL: "http://b:1/kite" };
  const middle = resolveConfig({}, machine(variables, files));
  assertEquals([middle.username, middle.kontrolUrls], ["fatih", ["http://b:1/kite"]]);
  assertEquals(middle.kontrolUser, "kontrol");
  const options = { username: "cihangir", kontrolUrl: ["http://c:1/kite/", "https://d/kite"] };
  const top = resolveConfig(options, machine(variables, files));
  assertEquals([top.username, top.kontrolUrls], ["cihangir", [
    "http://c:1/kite",
    "https://d/kite",
  ]]);
  const unset = { username: undefined } as unknown as ConfigOptions;
  assertEquals(resolveConfig(unset, machine(variables, files)).username, "fatih");
  assertEquals(resolveConfig({}, machine({ KITE_USERNAME: "" }, files)).username, "devrim");
});

Deno.test("resolveConfig: reads every variable", () => {
  const { limits: _, tls: __, ca: ___, ...config } = resolveConfig(
    {},
    machine({
      KITE_USERNAME: "fatih",
      KITE_ENVIRONMENT: "production",
      KITE_REGION: "europe",
      KITE_IP: "127.0.0.1",
      KITE_PORT: "3636",
      KITE_KONTROL_URL: "http://a:4000/kite, http://b:4000/kite",
      KITE_HOME: "/keys",
      KITE_TRANSPORT: "XHRPolling",
      KITE_TIMEOUT: "1m30s",
      KITE_HANDSHAKE_TIMEOUT: "500ms",
      KITE_VERIFY_TTL: "10m",
      KITE_LOG_LEVEL: "debug",
      KITE_LOG_NOCOLOR: "1",
      KITE_PROXY_URL: "http://proxy:3999/kite",
    }),
  );
  assertEquals(config, {
    username: "fatih",
    environment: "production",
    region: "europe",
    ip: "127.0.0.1",
    port: 3636,
    kontrolUrls: ["http://a:4000/kite", "http://b:4000/kite"],
    kontrolKey: undefined,
    kontrolUser: undefined,
    kiteKey: undefined,
    kiteHome: "/keys",
    transport: "XHRPolling",
    timeout: 90_000,
    handshakeTimeout: 500,
    verifyTtl: 600_000,
    logLevel: "DEBUG",
    logNoColor: true,
    proxyUrl: "http://proxy:3999/kite",
  });
});

Deno.test("KITE_VERIFY_TTL: 0 means the default and a negative duration disables the cache, as in Go", () => {
  const ttl = (text: string) => resolveConfig({}, machine({ KITE_VERIFY_TTL: text })).verifyTtl;
  assertEquals([ttl("0"), ttl("0s"), ttl("-1s")], [300_000, 300_000, 0]);
  assertEquals(resolveConfig({ verifyTtl: 0 }, machine()).verifyTtl, 0);
});

Deno.test("an invalid variable is refused, and the error names it", () => {
  const refused: [string, string, string][] = [
    [
      "KITE_USERNAME",
      "a/b",
      'Cannot use KITE_USERNAME "a/b": must be text of 1 to 256 characters without "/"',
    ],
    ["KITE_IP", "1.2.3.4/8", 'Cannot use KITE_IP "1.2.3.4/8": must be an address such as 0.0.0.0'],
    ["KITE_PORT", "abc", 'Cannot use KITE_PORT "abc": must be an integer from 0 to 65535'],
    ["KITE_PORT", "65536", 'Cannot use KITE_PORT "65536": must be an integer'],
    ["KITE_PORT", "-1", 'Cannot use KITE_PORT "-1": must be an integer'],
    [
      "KITE_KONTROL_URL",
      "localhost:4000",
      'Cannot use KITE_KONTROL_URL "localhost:4000": must be a URL such as http://',
    ],
    ["KITE_KONTROL_URL", "http://a/kite,", 'Cannot use KITE_KONTROL_URL "": must be a URL'],
    [
      "KITE_TRANSPORT",
      "carrier",
      'Cannot use KITE_TRANSPORT "carrier": must be one of auto, WebSocket, XHRPolling',
    ],
    ["KITE_TIMEOUT", "15", 'Cannot use KITE_TIMEOUT "15": must be a duration such as 15s'],
    ["KITE_TIMEOUT", "0s", 'Cannot use KITE_TIMEOUT "0s": must be a duration of at least 1ms'],
    ["KITE_VERIFY_TTL", "soon", 'Cannot use KITE_VERIFY_TTL "soon": must be a duration'],
    ["KITE_LOG_LEVEL", "LOUD", 'Cannot use KITE_LOG_LEVEL "LOUD": must be one of FATAL,'],
    ["KITE_PROXY_URL", "ftp://proxy", 'Cannot use KITE_PROXY_URL "ftp://proxy/": must be a URL'],
  ];
  for (const [name, value, message] of refused) {
    const error = assertThrows(
      () => resolveConfig({}, machine({ [name]: value })),
      KiteError,
      message,
    );
    assertEquals(error.type, "configError");
  }
});

Deno.test("an invalid option is refused, and the error names it", () => {
  const refused: [Record<string, unknown>, string][] = [
    [{ username: "" }, 'Cannot use username "": must be text of 1 to 256'],
    [{ region: 5 }, "Cannot use region 5: must be text of 1 to 256"],
    [{ port: "3636" }, 'Cannot use port "3636": must be an integer from 0 to 65535'],
    [{ port: 1.5 }, "Cannot use port 1.5: must be an integer"],
    [{ port: NaN }, "Cannot use port NaN: must be an integer"],
    [{ port: null }, "Cannot use port of type null: must be an integer"],
    [{ ip: "" }, 'Cannot use ip "": must be an address'],
    [{ timeout: 0 }, "Cannot use timeout 0: must be a number of milliseconds, at least 1"],
    [{ timeout: "15s" }, 'Cannot use timeout "15s": must be a number of milliseconds'],
    [{ verifyTtl: -1 }, "Cannot use verifyTtl -1: must be a number of milliseconds"],
    [{ logNoColor: 1 }, "Cannot use logNoColor 1: must be true or false"],
    [{ kontrolKey: "secret text" }, "Cannot use kontrolKey: must be PEM text"],
    [{ ca: ["secret text"] }, "Cannot use ca: must be PEM text"],
    [{ kiteKey: 5 }, "Cannot use kiteKey: must be text"],
    [{ kiteHome: "" }, 'Cannot use kiteHome "": must be the path of a file or directory'],
    [
      { limits: { messageBytes: 0 } },
      "Cannot use limits.messageBytes 0: must be an integer of at least 1",
    ],
    [
      { limits: { messageByte: 1 } },
      'Cannot use limits option "messageByte": did you mean messageBytes?',
    ],
    [{ limits: 5 }, "Cannot use limits 5: must be an object"],
    [{ kontrolURL: "http://a/kite" }, 'option "kontrolURL": did you mean kontrolUrl?'],
    [{ usrename: "devrim" }, 'Cannot use option "usrename": did you mean username?'],
    [{ color: "red" }, 'Cannot use option "color": must be one of username, environment,'],
    [{ tls: { cert: "x" } }, "Cannot use tls: must be { cert, key } or { certFile, keyFile }"],
    [{ tls: { certFile: "/a", key: "x" } }, "Cannot use tls: must be { cert, key } or"],
    [
      { tls: { certFile: "/a", keyFile: "/b" } },
      'Cannot use tls.certFile "/a": must be the path of a PEM file that exists',
    ],
    [{ tls: { cert: "secret text", key: "secret text" } }, "Cannot use tls.cert: must be PEM"],
  ];
  for (const [options, message] of refused) {
    const error = assertThrows(
      () => resolveConfig(options as ConfigOptions, machine()),
      KiteError,
      message,
    );
    assertEquals(error.type, "configError");
    assert(!error.message.includes("secret"));
  }
  assertThrows(
    () => resolveConfig(null as unknown as ConfigOptions, machine()),
    KiteError,
    "options",
  );
});

Deno.test("limits: those not given keep their defaults", () => {
  const { limits } = resolveConfig({ limits: { sessions: 5, firstMessage: 0 } }, machine());
  assertEquals(limits, { ...DEFAULT_LIMITS, sessions: 5, firstMessage: 0 });
});

Deno.test("limits: sessions and connections leave file descriptors free", () => {
  const limitsOf = (descriptors: string) => {
    const file =
      `Limit                     Soft Limit\nMax open files            ${descriptors}      4096   files\n`;
    const { limits } = resolveConfig({}, machine({}, { "/proc/self/limits": file }));
    return [limits.sessions, limits.sessionsPerAddress, limits.connections];
  };
  assertEquals(limitsOf("60"), [14, 7, 14]);
  assertEquals(limitsOf("1024"), [480, 240, 480]);
  assertEquals(limitsOf("1048576"), [20_000, 10_000, 20_000]);
  assertEquals(limitsOf("8"), [1, 1, 1]);
  assertEquals(limitsOf("unlimited"), [20_000, 10_000, 20_000]);
});

Deno.test("tls: takes the certificate as text or as files", () => {
  const cert = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
  const key = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----";
  assertEquals(resolveConfig({ tls: { cert, key } }, machine()).tls, { cert, key });
  const files = { "/tls/cert.pem": `${cert}\n`, "/tls/key.pem": key, "/tls/empty.pem": "" };
  const tls = { certFile: "/tls/cert.pem", keyFile: "/tls/key.pem" };
  assertEquals(resolveConfig({ tls }, machine({}, files)).tls, { cert, key });
  assertThrows(
    () => resolveConfig({ tls: { ...tls, keyFile: "/tls/empty.pem" } }, machine({}, files)),
    KiteError,
    "Cannot use tls.keyFile /tls/empty.pem: must be PEM text",
  );
});

Deno.test("an invalid kite.key: the error contains its path but not its text", () => {
  const read = (text: string) =>
    resolveConfig({}, machine({}, { "/home/devrim/.kite/kite.key": text }));
  for (const text of ["secret", "a.b.c", `${kiteKey}x.y`]) {
    const error = assertThrows(
      () => read(text),
      KiteError,
      "Cannot use /home/devrim/.kite/kite.key: must be a kite.key",
    );
    assertEquals(error.type, "configError");
    assert(!error.message.includes(text));
  }
  assertThrows(
    () => resolveConfig({ kiteKey: "x" }, machine()),
    KiteError,
    "Cannot use kiteKey: must be a kite.key",
  );
});

Deno.test("resolveConfig: reads files and variables of the process, if permitted", async () => {
  const home = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${home}/kite.key`, kiteKey);
    const url = new URL("../../src/config.ts", import.meta.url).href;
    const code = `import { resolveConfig } from "${url}";
      try {
        const { username, region, port } = resolveConfig();
        console.log(JSON.stringify([username, region, port]));
      } catch (error) { console.log(String(error)); }`;
    const variables = { KITE_HOME: home, KITE_REGION: "europe", KITE_PORT: "3636" };
    const all = await runDeno(["--allow-env", `--allow-read=${home}`], code, variables);
    assertEquals(all.stdout, '["devrim","europe",3636]\n', all.stderr);
    const none = await runDeno([], code, variables);
    assertEquals(none.stdout, '["unknown","unknown",0]\n', none.stderr);
    const some = await runDeno(["--allow-env=KITE_REGION"], code, variables);
    assertEquals(some.stdout, '["unknown","europe",0]\n', some.stderr);
    const wrong = await runDeno(["--allow-env"], code, { ...variables, KITE_PORT: "x" });
    assertStringIncludes(wrong.stdout, 'configError: Cannot use KITE_PORT "x": must be an integer');
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("a misspelt variable is warned about, an unrelated one is not", () => {
  const names = ["KITE_PROT", "KITE_KONTROLURL", "KITE_PORT", "KITE_MY_OWN_THING", "PORT"];
  assertEquals(configWarnings({ ...machine(), environmentNames: () => names }), [
    "Ignoring the variable KITE_PROT: did you mean KITE_PORT?",
    "Ignoring the variable KITE_KONTROLURL: did you mean KITE_KONTROL_URL?",
  ]);
});

Deno.test("a process with several kites warns once about a misspelt variable", async () => {
  const url = new URL("../../mod.ts", import.meta.url).href;
  const code = `import { Kite } from "${url}";
    for (const name of ["a", "b"]) new Kite(name, "1.0.0", { kiteKey: "" });`;
  const { stderr } = await runDeno(["--no-check", "-A"], code, { KITE_PROT: "3636" });
  const lines = stderr.trim().split("\n");
  assertEquals(lines.length, 1, stderr);
  assertStringIncludes(
    stderr,
    "[WARNING] a: Ignoring the variable KITE_PROT: did you mean KITE_PORT?",
  );
});

Deno.test("variables that describe a service of Kubernetes are ignored with a warning", () => {
  const variables = {
    KITE_PORT: "tcp://10.0.0.7:3636",
    KITE_SERVICE_HOST: "10.0.0.7",
    KITE_SERVICE_PORT: "3636",
    KITE_PORT_3636_TCP: "tcp://10.0.0.7:3636",
    KITE_PORT_3636_TCP_PORT: "3636",
  };
  const sources = { ...machine(variables), environmentNames: () => Object.keys(variables) };
  assertEquals(resolveConfig({}, sources).port, 0);
  assertEquals(configWarnings(sources), [
    "Ignoring the variable KITE_PORT: it describes a service of Kubernetes",
  ]);
});

Deno.test("timeouts may exceed the runtime's longest timer, or be infinite", () => {
  for (const timeout of [2 ** 31, Infinity]) {
    assertEquals(resolveConfig({ timeout }, machine()).timeout, timeout);
  }
  const { handshakeTimeout } = resolveConfig({}, machine({ KITE_HANDSHAKE_TIMEOUT: "900h" }));
  assertEquals(handshakeTimeout, 900 * 3_600_000);
});

Deno.test("a URL loses the slashes at the end of its path, and keeps its query", () => {
  const url = "http://kontrol.test:4000/kite//?zone=1/";
  const { kontrolUrls } = resolveConfig({ kontrolUrl: url }, machine());
  assertEquals(kontrolUrls, ["http://kontrol.test:4000/kite?zone=1/"]);
});

Deno.test("KITE_VERSION: is recognized as a request for the version", () => {
  assert(isVersionRequested(machine({ KITE_VERSION: "1" })));
  assert(!isVersionRequested(machine({ KITE_VERSION: "" })));
  assert(!isVersionRequested(machine()));
});

Deno.test("a kite.key that cannot be read counts as missing, with a warning", () => {
  const warnings: string[] = [];
  const fail = (code: string) => (path: string): never => {
    throw new KiteError("configError", `Cannot read ${path}: ${code}`, { code });
  };
  const sources = { ...machine(), warn: (warning: string) => void warnings.push(warning) };
  for (const code of ["EACCES", "EPERM"]) {
    const config = resolveConfig({}, { ...sources, readTextFile: fail(code) });
    assertEquals([config.kiteKey, config.username], [undefined, "unknown"]);
    assertEquals(warnings.splice(0), [
      `Running without a kite.key: Cannot read /home/devrim/.kite/kite.key: ${code}`,
    ]);
  }
  const read = () => resolveConfig({}, { ...sources, readTextFile: fail("EIO") });
  assertThrows(read, KiteError, "kite.key: EIO");
  assertEquals(warnings, []);
});
