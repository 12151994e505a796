import { programOf } from "../../tools/parts.ts";
import { fromFileUrl } from "../../tools/paths.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

const START_MS = 15_000;

const TLS = fromFileUrl(new URL("./etcd_tls/", import.meta.url));

/** What a client of an etcd with TLS needs, PEM text: the authority, and a certificate of its own. */
export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** How a {@linkcode TestEtcd} is started. */
export interface TestEtcdOptions {
  /**
   * Listen with TLS, and ask clients for a certificate.
   *
   * @default false
   */
  readonly tls?: boolean;
  /** Further flags of the program. */
  readonly flags?: readonly string[];
}

interface Member {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
  process?: Deno.ChildProcess;
}

const TLS_FLAGS = [
  ...["--cert-file", `${TLS}cert.pem`, "--key-file", `${TLS}key.pem`],
  ...["--client-cert-auth", "--trusted-ca-file", `${TLS}ca.pem`],
];

/** What a client of a {@linkcode TestEtcd} with TLS needs. */
export async function etcdTls(): Promise<EtcdTls> {
  const [ca, cert, key] = await Promise.all(
    ["ca", "cert", "key"].map((name) => Deno.readTextFile(`${TLS}${name}.pem`)),
  );
  return { ca: ca!, cert: cert!, key: key! };
}

async function clientTls(): Promise<{ caCerts: string[]; cert: string; key: string }> {
  const { ca, cert, key } = await etcdTls();
  return { caCerts: [ca], cert, key };
}

/** A real etcd cluster of a test, its data in a temporary folder. */
export class TestEtcd implements AsyncDisposable {
  /** The members' URLs, in the order of their numbers. */
  readonly endpoints: readonly string[];
  readonly #members: readonly Member[];
  readonly #directory: string;
  readonly #program: string;
  readonly #options: TestEtcdOptions;

  private constructor(
    members: readonly Member[],
    directory: string,
    program: string,
    options: TestEtcdOptions,
  ) {
    this.#members = members;
    this.endpoints = members.map(({ client }) => client);
    this.#directory = directory;
    this.#program = program;
    this.#options = options;
  }

  /** Starts a cluster of `size` members and waits until it takes requests. */
  static async start(size = 1, options: TestEtcdOptions = {}): Promise<TestEtcd> {
    const program = programOf("etcd");
    if (program === undefined) throw new Error("there is no etcd here");
    const members = Array.from({ length: size }, (_, number) => ({
      name: `member-${number}`,
      client: `${options.tls ? "https" : "http"}://127.0.0.1:${freePort()}`,
      peer: `http://127.0.0.1:${freePort()}`,
    }));
    const directory = await Deno.makeTempDir({ prefix: "kite_etcd_" });
    const cluster = new TestEtcd(members, directory, program, options);
    try {
      await Promise.all(members.map((_, number) => cluster.startMember(number)));
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /**
   * Starts a member, anew or again, on its own ports and data.
   * @param isAwaited whether to wait until it takes requests, which takes a majority of the members.
   */
  async startMember(number: number, isAwaited = true): Promise<void> {
    const member = this.#member(number);
    const peers = this.#members.map(({ name, peer }) => `${name}=${peer}`).join();
    // What it says is not read: a line amid a test would look like a leak of that test.
    member.process = new Deno.Command(this.#program, {
      args: [
        ...["--name", member.name, "--data-dir", `${this.#directory}/${member.name}`],
        ...["--listen-client-urls", member.client, "--advertise-client-urls", member.client],
        ...["--listen-peer-urls", member.peer, "--initial-advertise-peer-urls", member.peer],
        ...["--initial-cluster", peers, "--initial-cluster-state", "new"],
        ...["--logger", "zap", "--unsafe-no-fsync"],
        ...(this.#options.tls ? TLS_FLAGS : []),
        ...(this.#options.flags ?? []),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    if (!isAwaited) return;
    using client = Deno.createHttpClient(this.#options.tls ? await clientTls() : {});
    await eventually(async () => {
      const response = await fetch(`${member.client}/health`, { client });
      const { health } = await response.json();
      return health === "true";
    }, { withinMs: START_MS, what: `a healthy etcd at ${member.client}` });
  }

  /** Ends a member in order, as a rolling upgrade does. */
  async stopMember(number: number): Promise<void> {
    this.#member(number).process?.kill("SIGTERM");
    await this.#member(number).process?.status;
  }

  /** Kills a member, as a crash would. */
  async killMember(number: number): Promise<void> {
    const member = this.#member(number);
    const { process } = member;
    if (process === undefined) return;
    delete member.process;
    try {
      process.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself, as when its port was taken: that it is not healthy says so.
      if (!(error instanceof TypeError)) throw error;
    }
    await process.status;
  }

  /** Stops a member from running without ending it, or lets it run again. */
  freezeMember(number: number, isFrozen: boolean): void {
    const pid = this.#member(number).process?.pid;
    if (pid === undefined) throw new Error(`member ${number} does not run`);
    Deno.kill(pid, isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, number) => this.killMember(number)));
    await Deno.remove(this.#directory, { recursive: true });
  }

  #member(number: number): Member {
    const member = this.#members[number];
    if (member === undefined) throw new Error(`there is no member ${number}`);
    return member;
  }
}
