import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createKiteKey } from "../../src/auth/kite_key.ts";
import { generateKeyPair, importPrivateKey } from "../../src/auth/keys.ts";
import {
  type ConfigOptions,
  type ConfigSources,
  isVersionRequested,
  resolveConfig,
} from "../../src/config.ts";
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

Deno.test("with nothing given, everything is its default", () => {
  const { limits, ...config } = resolveConfig({}, machine());
  assertEquals(limits, DEFAULT_LIMITS);
  assertEquals(config, {
    username: "unknown",
    environment: "unknown",
    region: "unknown",
    ip: "0.0.0.0",
    port: 0,
    tls: undefined,
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

Deno.test("a kite.key gives its user and its Kontrol", () => {
  const files = { "/home/devrim/.kite/kite.key": `${kiteKey}\n` };
  const config = resolveConfig({}, machine({}, files));
  assertEquals(config.kiteKey, kiteKey);
  assertEquals(config.username, "devrim");
  assertEquals(config.kontrolUser, "kontrol");
  assertEquals(config.kontrolUrls, ["http://kontrol.test:4000/kite"]);
  assertEquals(config.kontrolKey, pair.publicKey.trim());
});

Deno.test("the kite.key is looked for where it is said to be", () => {
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

Deno.test("variables are stronger than the kite.key, options stronger than both", () => {
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

Deno.test("every variable is read", () => {
  const { limits: _, tls: __, ...config } = resolveConfig(
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

Deno.test("the time to live of trust follows Go: 0 is the default, negative is never", () => {
  const ttl = (text: string) => resolveConfig({}, machine({ KITE_VERIFY_TTL: text })).verifyTtl;
  assertEquals([ttl("0"), ttl("0s"), ttl("-1s")], [300_000, 300_000, 0]);
  assertEquals(resolveConfig({ verifyTtl: 0 }, machine()).verifyTtl, 0);
});

Deno.test("a wrong variable is refused by its name", () => {
  const refused: [string, string, string][] = [
    ["KITE_USERNAME", "a/b", 'KITE_USERNAME: "a/b" is not right; it takes text without "/"'],
    ["KITE_IP", "1.2.3.4/8", 'KITE_IP: "1.2.3.4/8" is not an address'],
    [
      "KITE_PORT",
      "abc",
      'KITE_PORT: "abc" is not a port; a whole number from 0 to 65535 is right',
    ],
    ["KITE_PORT", "65536", 'KITE_PORT: "65536" is not a port'],
    ["KITE_PORT", "-1", 'KITE_PORT: "-1" is not a port'],
    ["KITE_KONTROL_URL", "localhost:4000", 'KITE_KONTROL_URL: "localhost:4000" is not a URL'],
    ["KITE_KONTROL_URL", "http://a/kite,", 'KITE_KONTROL_URL: "" is not a URL'],
    [
      "KITE_TRANSPORT",
      "carrier",
      'KITE_TRANSPORT: "carrier" is none of its values; one of auto, WebSocket, XHRPolling',
    ],
    ["KITE_TIMEOUT", "15", 'KITE_TIMEOUT: "15" is not a duration; right is for example 15s'],
    ["KITE_TIMEOUT", "0s", 'KITE_TIMEOUT: "0s" is no bound for a wait'],
    ["KITE_HANDSHAKE_TIMEOUT", "900h", 'KITE_HANDSHAKE_TIMEOUT: "900h" is no bound'],
    ["KITE_VERIFY_TTL", "soon", 'KITE_VERIFY_TTL: "soon" is not a duration'],
    ["KITE_LOG_LEVEL", "LOUD", 'KITE_LOG_LEVEL: "LOUD" is none of its values; one of FATAL,'],
    ["KITE_PROXY_URL", "ftp://proxy", 'KITE_PROXY_URL: "ftp://proxy" is not a URL'],
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

Deno.test("a wrong option is refused by its name", () => {
  const refused: [Record<string, unknown>, string][] = [
    [{ username: "" }, "username is empty; it needs a value"],
    [{ region: 5 }, "region: a value of type number is not right; it takes text"],
    [{ port: "3636" }, 'port: "3636" is not a port'],
    [{ port: 1.5 }, "port: 1.5 is not a port"],
    [{ port: NaN }, "port: NaN is not a port"],
    [{ port: null }, "port: a value of type null is not a port"],
    [{ ip: "" }, 'ip: "" is not an address'],
    [{ timeout: 0 }, "timeout: 0 is no bound for a wait"],
    [{ timeout: Infinity }, "timeout: Infinity is no bound for a wait"],
    [{ timeout: "15s" }, 'timeout: "15s" is no bound for a wait'],
    [{ verifyTtl: -1 }, "verifyTtl: -1 is no time to live"],
    [{ logNoColor: 1 }, "logNoColor: a value of type number is no yes or no"],
    [{ kontrolKey: "secret text" }, "kontrolKey: it holds no PEM"],
    [{ kiteKey: 5 }, "kiteKey: a value of type number; text is right"],
    [{ kiteHome: "" }, 'kiteHome: "" is not a path'],
    [
      { limits: { messageBytes: 0 } },
      "limits.messageBytes: 0 is not a limit; a whole number from 1",
    ],
    [
      { limits: { messageByte: 1 } },
      'limits: there is no "messageByte"; did you mean messageBytes?',
    ],
    [{ limits: 5 }, "limits: a value of type number; an object is right"],
    [{ kontrolURL: "http://a/kite" }, 'there is no "kontrolURL"; did you mean kontrolUrl?'],
    [{ usrename: "devrim" }, 'options: there is no "usrename"; did you mean username?'],
    [{ color: "red" }, 'options: there is no "color"; there are username, environment,'],
    [{ tls: { cert: "x" } }, "tls: it is incomplete or mixed; { cert, key } or"],
    [{ tls: { certFile: "/a", key: "x" } }, "tls: it is incomplete or mixed"],
    [{ tls: { certFile: "/a", keyFile: "/b" } }, "tls.certFile: /a is not there"],
    [{ tls: { cert: "secret text", key: "secret text" } }, "tls.cert: it holds no PEM"],
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

Deno.test("limits that are not given keep their default", () => {
  const { limits } = resolveConfig({ limits: { sessions: 5, firstMessage: 0 } }, machine());
  assertEquals(limits, { ...DEFAULT_LIMITS, sessions: 5, firstMessage: 0 });
});

Deno.test("a certificate comes from its text or from its files", () => {
  const cert = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
  const key = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----";
  assertEquals(resolveConfig({ tls: { cert, key } }, machine()).tls, { cert, key });
  const files = { "/tls/cert.pem": `${cert}\n`, "/tls/key.pem": key, "/tls/empty.pem": "" };
  const tls = { certFile: "/tls/cert.pem", keyFile: "/tls/key.pem" };
  assertEquals(resolveConfig({ tls }, machine({}, files)).tls, { cert, key });
  assertThrows(
    () => resolveConfig({ tls: { ...tls, keyFile: "/tls/empty.pem" } }, machine({}, files)),
    KiteError,
    "tls.keyFile: /tls/empty.pem: it holds no PEM",
  );
});

Deno.test("a broken kite.key is named, and not shown", () => {
  const read = (text: string) =>
    resolveConfig({}, machine({}, { "/home/devrim/.kite/kite.key": text }));
  for (const text of ["secret", "a.b.c", `${kiteKey}x.y`]) {
    const error = assertThrows(() => read(text), KiteError, "/home/devrim/.kite/kite.key is no");
    assertEquals(error.type, "configError");
    assert(!error.message.includes(text));
  }
  assertThrows(
    () => resolveConfig({ kiteKey: "x" }, machine()),
    KiteError,
    "kiteKey is no kite.key",
  );
});

Deno.test("real files and variables are read, where allowed", async () => {
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
    assertStringIncludes(wrong.stdout, 'configError: KITE_PORT: "x" is not a port');
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("a version is asked for by KITE_VERSION", () => {
  assert(isVersionRequested(machine({ KITE_VERSION: "1" })));
  assert(!isVersionRequested(machine({ KITE_VERSION: "" })));
  assert(!isVersionRequested(machine()));
});
