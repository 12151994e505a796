import { assert } from "@std/assert";
import { KiteError } from "../../mod.ts";
import type { Client } from "../../src/client.ts";
import { Kite } from "../../src/kite.ts";
import { memorySessions } from "../../src/testing/mod.ts";
import { names, page, rowsOf } from "./pages.ts";

const PAGES = ["docs/migrating-from-go.md", "docs/migrating-from-kitejs.md"];

for (const path of PAGES) {
  Deno.test(`${path}: names members that exist`, async () => {
    await using kite = new Kite("page", "1.0.0", { ip: "127.0.0.1", kiteKey: "" });
    const server = await kite.listen();
    const client: Client = kite.newClient("memory:", { connect: () => memorySessions()[0] });
    const there: Record<string, object> = { kite, server, client, error: new KiteError("x", "") };
    let checked = 0;
    for (const [, here] of rowsOf(page(path))) {
      for (const name of names(here)) {
        for (
          const [, object, member] of name.matchAll(/(?<!")\b(kite|server|client|error)\.(\w+)/g)
        ) {
          assert(member! in there[object!]!, `${path} names ${object}.${member}`);
          checked++;
        }
      }
    }
    assert(checked > 20, `${checked} members`);
  });
}

Deno.test("migrating-from-kitejs.md: has every member that the real kite.js offers", () => {
  const told = rowsOf(page("docs/migrating-from-kitejs.md")).map(([theirs]) => theirs).join("\n");
  const missing = KITE_JS.split(/\s+/).filter((name) => !told.includes(name));
  assert(missing.length === 0, `not in the tables: ${missing.join(", ")}`);
});

Deno.test("migrating-from-go.md: has every call that the real Go kite offers", () => {
  const told = rowsOf(page("docs/migrating-from-go.md")).map(([theirs]) => theirs).join("\n");
  const missing = GO.split(/\s+/).filter((name) => !new RegExp(`\\b${name}\\b`).test(told));
  assert(missing.length === 0, `not in the tables: ${missing.join(", ")}`);
});

/** The options, members and events of kite.js 1.0.13. */
const KITE_JS = `url name username environment version region hostname prefix api auth autoConnect
  autoReconnect initialDelayMs multiplyFactor maxDelayMs maxReconnectAttempts connection
  transportClass transportOptions logLevel readyState getKiteInfo getToken setToken canConnect
  canReconnect connect disconnect ready tell ping setApi expireToken hasMethod random codeIs codeIsnt
  "open" "close" "error" "tokenExpired" "tokenSet" "backOffFailed" listen serverClass authenticate
  fetchKite fetchKites watchKites cancelWatcher register createKite renewToken "deregister"`;

/** The exported functions and methods of the Go packages kite and config. */
const GO = `New NewWithConfig Kite KiteKey KontrolKey HandleHTTP HandleHTTPFunc ServeHTTP OnConnect
  OnFirstRequest OnDisconnect OnRegister Closer Close Run Addr Port UseTLS UseTLSFile
  ServerCloseNotify ServerReadyNotify NewClient SetupKontrolClient GetKites GetToken
  SendWebRTCRequest GetTokenForce GetKey NewKeyRenewer KontrolReadyNotify RegisterForever Register
  RegisterToTunnel RegisterToProxy TellKontrolWithTimeout RegisterURL Handle HandleFunc PreHandle
  PreHandleFunc PostHandle PostHandleFunc FinalFunc RegisterHTTPForever RegisterHTTP NewTokenRenewer
  Dial DialTimeout DialForever RemoteAddr OnTokenExpire OnTokenRenew Tell TellWithTimeout Go
  GoWithTimeout DisableAuthentication Throttle Username Environment Region Id DisableConcurrency
  Transport IP VerifyFunc VerifyTTL VerifyAudienceFunc XHR Timeout Client Websocket SockJS Serve
  KontrolURL KontrolUser UseWebRTC MachineAuthenticate MachineKeyPicker TokenTTL TokenLeeway
  TokenNoNBF SetStorage SetKeyPairStorage AddKeyPair DeleteKeyPair AddAuthenticator`;
