/** A real Go Kontrol on a real PostgreSQL, for the tests of this folder. */

import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import type { StorageOptions } from "../../../kontrol/storage/storage.ts";
import { createTestKeys, type TestKeys } from "../../../src/testing/keys.ts";
import { freePort } from "../../support/ports.ts";
import { TestPostgres } from "../../support/postgres.ts";
import { Peer } from "../peers.ts";
import { temporaryFile } from "./setup.ts";

/** Kontrol's username in these tests. */
export const KONTROL_USER = "kontrol";

/** What the Go Kontrol runs as: no owner of anything, as its own SQL sets it up. */
const GO_ROLE = "go_application";

/** A database that Go Kontrols and our Kontrols can share. Our Kontrol creates the schema. */
export class SharedDatabase implements AsyncDisposable {
  readonly server: TestPostgres;
  readonly name: string;

  private constructor(server: TestPostgres, name: string) {
    this.server = server;
    this.name = name;
  }

  /** Starts a server, and has our storage make the schema there. */
  static async start(): Promise<SharedDatabase> {
    const server = await TestPostgres.start();
    const database = new SharedDatabase(server, await server.createDatabase());
    // What the server says of a Go Kontrol that was killed would look like a leak of some test.
    await database.sql(`create role kontrol; create role ${GO_ROLE} login in role kontrol;
      alter role ${GO_ROLE} set log_min_messages = panic`);
    await using storage = database.open();
    await storage.ready();
    return database;
  }

  /** Our storage in it, which cleans and looks for changes all the time. */
  open(options: StorageOptions = {}): PostgresStorage {
    const { host, port, username } = this.server;
    return new PostgresStorage({
      ...{ host, port, username, database: this.name },
      ...{ pollInterval: 200, cleanInterval: 200 },
      ...options,
    });
  }

  /** Runs SQL in it. */
  sql(text: string): Promise<unknown[]> {
    return this.server.run(this.name, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/**
 * Adds a key pair to a Go Kontrol.
 *
 * @returns its id
 */
export async function addKeyPair({ peer }: GoKontrol, { pair }: TestKeys): Promise<string> {
  const id = crypto.randomUUID();
  await using publicKey = await temporaryFile(pair.publicKey);
  await using privateKey = await temporaryFile(pair.privateKey);
  await peer.call("addKeyPair", [id, publicKey.path, privateKey.path]);
  return id;
}

/** A Go Kontrol that runs. */
export interface GoKontrol extends AsyncDisposable {
  readonly url: string;
  /** Its keys: they make kite.keys for it. */
  readonly keys: TestKeys;
  /** Its commands: "clean", "addKeyPair", "deleteKeyPair". */
  readonly peer: Peer;
}

/** A Kontrol's keys, with the URL where it is going to be. */
function keysForPort(port: number): Promise<TestKeys> {
  const kontrolUrl = `http://127.0.0.1:${port}/kite`;
  return createTestKeys({ kontrolUser: KONTROL_USER, kontrolUrl, signsHandovers: false });
}

/**
 * Starts a Go Kontrol in a database.
 *
 * @param flags such as `-heartbeat 1s`
 * @param keys of an earlier one, to start it again where that was
 */
export async function startGoKontrol(
  database: SharedDatabase,
  flags: readonly string[] = [],
  keys?: TestKeys,
): Promise<GoKontrol> {
  keys ??= await keysForPort(freePort());
  const url = keys.kontrolUrl;
  await using kiteKey = await temporaryFile(await keys.kiteKey(KONTROL_USER));
  await using publicKey = await temporaryFile(keys.pair.publicKey);
  await using privateKey = await temporaryFile(keys.pair.privateKey);
  const { server } = database;
  const peer = await Peer.goKontrol(
    ...["-port", new URL(url).port, "-kitekeyfile", kiteKey.path],
    ...["-public", publicKey.path, "-private", privateKey.path],
    ...["-postgres-host", server.host, "-postgres-port", String(server.port)],
    ...["-postgres-username", GO_ROLE, "-postgres-dbname", database.name],
    ...flags,
  );
  return { url, keys, peer, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() };
}
